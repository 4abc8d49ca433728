"""GStreamer recording calls: webrtcbin, depayloaders, matroskamux and filesink of each in one process.

Args: how many calls, the folder.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.gstreamer_call import GLib, Gst, Peer, run_loop, say


class Call:
    """One call and its file."""

    def __init__(self, number: int, folder: Path) -> None:
        self._path = folder / f"{number}.mkv"
        self.ended = False
        self.pipeline = Gst.parse_launch(
            "webrtcbin name=peer bundle-policy=max-bundle "
            f"matroskamux name=mux ! filesink name=file location={self._path} "
            "rtpopusdepay name=audio ! opusparse ! mux. "
            "rtpvp8depay name=video request-keyframe=true ! mux."
        )
        self.peer = Peer(number, self.pipeline.get_by_name("peer"))
        self.pipeline.set_state(Gst.State.PLAYING)
        self.peer.element.connect("pad-added", self._received)
        sink = self.pipeline.get_by_name("file").get_static_pad("sink")
        sink.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self._look_for_end)
        self.peer.offer()

    def _received(self, _: Any, pad: Any) -> None:
        if pad.get_direction() is not Gst.PadDirection.SRC:
            return
        media = pad.get_current_caps().get_structure(0).get_string("media")
        pad.link(self.pipeline.get_by_name(media).get_static_pad("sink"))

    @property
    def is_recording(self) -> bool:
        """Whether something was written."""
        return self._path.exists() and self._path.stat().st_size > 100_000

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
    folder = Path(sys.argv[2])
    calls: list[Call] = []

    def begin() -> None:
        calls.extend(Call(number, folder) for number in range(int(sys.argv[1])))
        GLib.timeout_add(100, look_ready)

    def look_ready() -> bool:
        if not all(call.is_recording for call in calls):
            return True
        say(ready=True)
        return False

    def look_ended() -> bool:
        if not all(call.ended for call in calls):
            return True
        for call in calls:
            call.pipeline.set_state(Gst.State.NULL)
        say(done=True)
        return False

    def follow(said: dict[str, Any]) -> None:
        if "answer" in said:
            calls[said["call"]].peer.accept(said["answer"])
        else:
            for call in calls:
                call.stop()
            GLib.timeout_add(50, look_ended)

    run_loop(begin, follow, lambda: None)


if __name__ == "__main__":
    main()
