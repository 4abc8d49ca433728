"""GStreamer sending a prepared file to calls: filesrc, demuxer, payloaders and webrtcbin of each in one process.

Args: how many calls, the file. Takes `{"call": n, "offer": sdp}`, says `{"call": n, "answer": sdp}`, and ends with its
input; the file is played once. Run by Debian's own python3; nothing of this project is imported.
"""

import json
import sys
import threading
from typing import Any

NEEDED = (
    "GStreamer is missing: install Debian's packages python3-gi, gir1.2-gst-plugins-bad-1.0, gir1.2-nice-0.1, "
    "gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad and gstreamer1.0-nice"
)


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

GATHERING_MS = 300


class Call:
    """One call: offers are answered once the pipeline has its pads."""

    def __init__(self, number: int, path: str) -> None:
        self.number = number
        self.kept: list[Any] = []
        self.pipeline = Gst.parse_launch(
            f"webrtcbin name=peer bundle-policy=max-bundle filesrc location={path} ! matroskademux name=demux "
            "demux.audio_0 ! queue ! identity sync=true ! rtpopuspay pt=111 ! "
            "application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! peer. "
            "demux.video_0 ! queue ! identity sync=true ! rtpvp8pay pt=96 mtu=1200 ! "
            "application/x-rtp,media=video,encoding-name=VP8,payload=96 ! peer."
        )
        self.peer = self.pipeline.get_by_name("peer")
        address = Nice.Address.new()
        address.set_from_string("127.0.0.1")
        # webrtcbin gives its agents away without a reference of ours: Python must never let go of them.
        self.ice = self.peer.get_property("ice-agent")
        self.agent = self.ice.get_property("agent")
        self.agent.add_local_address(address)
        self.pipeline.set_state(Gst.State.PLAYING)

    def take(self, text: str) -> bool:
        """Take an offer."""
        _, message = GstSdp.SDPMessage.new_from_text(text)
        offer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, message)
        self.kept.append(offer)
        self.peer.emit("set-remote-description", offer, Gst.Promise.new_with_change_func(self._answer))
        for line in text.splitlines():
            if line.startswith("a=candidate"):
                self.peer.emit("add-ice-candidate", 0, line[2:])
        return False

    def _answer(self, _: Any) -> None:
        self.peer.emit("create-answer", None, Gst.Promise.new_with_change_func(self._answered))

    def _answered(self, promise: Any) -> None:
        reply = promise.get_reply()
        self.kept.extend([reply, reply["answer"]])
        self.peer.emit("set-local-description", reply["answer"], Gst.Promise.new())
        GLib.timeout_add(GATHERING_MS, self._tell)

    def _tell(self) -> bool:
        say(call=self.number, answer=self.peer.get_property("local-description").sdp.as_text())
        return False


def main() -> None:
    """Send until the input ends."""
    Gst.init(None)
    if Gst.ElementFactory.find("webrtcbin") is None or Gst.ElementFactory.find("nicesrc") is None:
        say(missing=NEEDED)
        return
    calls = [Call(number, sys.argv[2]) for number in range(int(sys.argv[1]))]
    loop = GLib.MainLoop()

    def follow_input() -> None:
        for line in sys.stdin:
            said = json.loads(line)
            if "offer" in said:
                GLib.idle_add(calls[said["call"]].take, said["offer"])
        GLib.idle_add(loop.quit)

    threading.Thread(target=follow_input, daemon=True).start()
    loop.run()
    for call in calls:
        call.pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
