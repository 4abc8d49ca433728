"""GStreamer recording calls: webrtcbin, depayloaders, matroskamux and filesink of each in one process.

Args: how many calls, the folder. Run by Debian's own python3, whose `gi` no virtual environment has; so nothing of this
project is imported. All work is done by GStreamer's threads; Python waits.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

NEEDED = (
    "GStreamer is missing: install Debian's packages python3-gi, gir1.2-gst-plugins-bad-1.0, gir1.2-nice-0.1, "
    "gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad and gstreamer1.0-nice"
)
CAPS = (
    "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload=111",
    "application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96,rtcp-fb-nack=true,rtcp-fb-nack-pli=true",
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
    """One call and its file."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.begun = self.ended = False
        self.kept: list[Any] = []  # what webrtcbin uses after our references would be gone
        path = folder / f"{number}.mkv"
        self.pipeline = Gst.parse_launch(
            "webrtcbin name=peer bundle-policy=max-bundle "
            f"matroskamux name=mux ! filesink name=file location={path} "
            "rtpopusdepay name=audio ! opusparse ! mux. "
            "rtpvp8depay name=video request-keyframe=true ! mux."
        )
        self.peer = self.pipeline.get_by_name("peer")
        address = Nice.Address.new()
        address.set_from_string("127.0.0.1")
        # webrtcbin gives its agents away without a reference of ours: Python must never let go of them.
        self.ice = self.peer.get_property("ice-agent")
        self.agent = self.ice.get_property("agent")
        self.agent.add_local_address(address)
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        self.pipeline.set_state(Gst.State.PLAYING)
        for caps in CAPS:
            transceiver = self.peer.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
            transceiver.set_property("do-nack", True)
        self.peer.connect("pad-added", self._received)
        sink = self.pipeline.get_by_name("file").get_static_pad("sink")
        sink.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self._look_for_end)
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self._offered))

    def _offered(self, promise: Any) -> None:
        reply = promise.get_reply()
        self.kept.extend([reply, reply["offer"]])
        self.peer.emit("set-local-description", reply["offer"], Gst.Promise.new())
        GLib.timeout_add(GATHERING_MS, self._tell_offer)

    def _tell_offer(self) -> bool:
        say(call=self.number, offer=self.peer.get_property("local-description").sdp.as_text())
        return False

    def answer(self, text: str) -> None:
        """Take the answer."""
        _, message = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.kept.append(answer)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())
        for line in text.splitlines():
            if line.startswith("a=candidate"):
                self.peer.emit("add-ice-candidate", 0, line[2:])

    def _received(self, _: Any, pad: Any) -> None:
        if pad.get_direction() is not Gst.PadDirection.SRC:
            return
        media = pad.get_current_caps().get_structure(0).get_string("media")
        pad.link(self.pipeline.get_by_name(media).get_static_pad("sink"))

    @property
    def is_recording(self) -> bool:
        """Whether something was written."""
        path = Path(self.pipeline.get_by_name("file").get_property("location"))
        return path.exists() and path.stat().st_size > 100_000

    def stop(self) -> None:
        """Finish the file."""
        for name in ("audio", "video"):
            self.pipeline.get_by_name(name).get_static_pad("sink").send_event(Gst.Event.new_eos())

    def _look_for_end(self, _: Any, probe: Any) -> Any:
        if probe.get_event().type == Gst.EventType.EOS:
            self.ended = True
        return Gst.PadProbeReturn.OK


def main() -> None:
    """Record until told to stop."""
    Gst.init(None)
    if Gst.ElementFactory.find("webrtcbin") is None or Gst.ElementFactory.find("nicesrc") is None:
        say(missing=NEEDED)
        return
    folder = Path(sys.argv[2])
    calls = [Call(number, folder) for number in range(int(sys.argv[1]))]
    loop = GLib.MainLoop()

    def look_ready() -> bool:
        if not all(call.is_recording for call in calls):
            return True
        say(ready=True)
        return False

    def look_ended() -> bool:
        if not all(call.ended for call in calls):
            return True
        loop.quit()
        return False

    def stop() -> bool:
        for call in calls:
            call.stop()
        GLib.timeout_add(50, look_ended)
        return False

    def follow_input() -> None:
        for _ in calls:
            said = json.loads(sys.stdin.readline())
            GLib.idle_add(calls[said["call"]].answer, said["answer"])
        GLib.timeout_add(100, look_ready)
        sys.stdin.readline()
        GLib.idle_add(stop)

    threading.Thread(target=follow_input, daemon=True).start()
    loop.run()
    for call in calls:
        call.pipeline.set_state(Gst.State.NULL)
    say(done=True)


if __name__ == "__main__":
    main()
