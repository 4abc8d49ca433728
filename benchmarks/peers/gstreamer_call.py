"""What GStreamer's peers share: a webrtcbin on 127.0.0.1 that offers and answers in lines of JSON.

Run by Debian's own python3, whose `gi` no virtual environment has; so nothing of this project but these peers is
imported. All work is done by GStreamer's threads; Python waits.
"""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["GLib", "Gst", "Peer", "run_loop", "say"]

NEEDED = (
    "GStreamer is missing: install Debian's packages python3-gi, gir1.2-gst-plugins-bad-1.0, gir1.2-nice-0.1, "
    "gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad and gstreamer1.0-nice"
)
CAPS = (
    "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload=111",
    "application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96,rtcp-fb-nack=true,rtcp-fb-nack-pli=true",
)
"""What is received."""
GATHERING_MS = 300


def say(**what: object) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


try:
    import gi  # type: ignore[import-not-found]  # of the system, not of the virtual environment

    gi.require_version("Gst", "1.0")
    gi.require_version("GstWebRTC", "1.0")
    gi.require_version("GstSdp", "1.0")
    gi.require_version("Nice", "0.1")
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC, Nice  # type: ignore[import-not-found]
except (ImportError, ValueError):
    say(missing=NEEDED)
    raise


class Peer:
    """A webrtcbin.

    Args:
        number: which call it is.
        element: the webrtcbin; its pipeline does not play yet.
    """

    def __init__(self, number: int, element: Any) -> None:
        self.number = number
        self.element = element
        self._kept: list[Any] = []  # what webrtcbin uses after our references would be gone
        address = Nice.Address.new()
        address.set_from_string("127.0.0.1")
        # webrtcbin gives its agents away without a reference of ours: Python must never let go of them.
        self._ice = element.get_property("ice-agent")
        self._agent = self._ice.get_property("agent")
        self._agent.add_local_address(address)

    def offer(self) -> None:
        """Offer to receive, once the pipeline plays; the offer is told."""
        for caps in CAPS:
            direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            transceiver = self.element.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
            transceiver.set_property("do-nack", True)
        self._create("offer")

    def accept(self, text: str) -> bool:
        """Take the answer."""
        self._take(text, GstWebRTC.WebRTCSDPType.ANSWER, Gst.Promise.new())
        return False

    def answer(self, text: str) -> bool:
        """Take an offer; the answer is told."""
        promise = Gst.Promise.new_with_change_func(lambda _: self._create("answer"))
        self._take(text, GstWebRTC.WebRTCSDPType.OFFER, promise)
        return False

    def _take(self, text: str, kind: Any, promise: Any) -> None:
        _, message = GstSdp.SDPMessage.new_from_text(text)
        description = GstWebRTC.WebRTCSessionDescription.new(kind, message)
        self._kept.append(description)
        self.element.emit("set-remote-description", description, promise)
        for line in text.splitlines():
            if line.startswith("a=candidate"):
                self.element.emit("add-ice-candidate", 0, line[2:])

    def _create(self, kind: str) -> None:
        promise = Gst.Promise.new_with_change_func(lambda made: self._created(kind, made))
        self.element.emit(f"create-{kind}", None, promise)

    def _created(self, kind: str, promise: Any) -> None:
        reply = promise.get_reply()
        self._kept.extend([reply, reply[kind]])
        self.element.emit("set-local-description", reply[kind], Gst.Promise.new())
        GLib.timeout_add(GATHERING_MS, self._tell, kind)

    def _tell(self, kind: str) -> bool:
        text = self.element.get_property("local-description").sdp.as_text()
        say(**{"call": self.number, kind: text})
        return False


def run_loop(begin: Callable[[], None], follow: Callable[[dict[str, Any]], None], end: Callable[[], None]) -> None:
    """Run GLib's loop until the input has ended.

    Args:
        begin: called in the loop, first of all.
        follow: called in the loop with each line of the input.
        end: called when the loop has ended.
    """
    Gst.init(None)
    if Gst.ElementFactory.find("webrtcbin") is None or Gst.ElementFactory.find("nicesrc") is None:
        say(missing=NEEDED)
        return
    loop = GLib.MainLoop()

    def once(call: Callable[..., None], *arguments: object) -> bool:
        call(*arguments)
        return False

    def read() -> None:
        for line in sys.stdin:
            GLib.idle_add(once, follow, json.loads(line))
        GLib.idle_add(loop.quit)

    GLib.idle_add(once, begin)
    threading.Thread(target=read, daemon=True).start()
    loop.run()
    end()
