"""GStreamer's webrtcbin as a peer: prints its offer, reads the answer, prints what it receives; a line of JSON each.

Run by Debian's own python3, whose `gi` no virtual environment has; so nothing of this project is imported.
"""

import json
import sys
import threading
from typing import Any

import gi  # type: ignore[import-not-found]  # of the system, not of the virtual environment

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # type: ignore[import-not-found]  # noqa: E402

PIPELINE = (
    "webrtcbin name=peer bundle-policy=max-bundle "
    "audiotestsrc is-live=true ! opusenc ! rtpopuspay pt=97 ! peer. "
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 "
    "! vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay pt=96 ! peer."
)
GATHERING_MS = 500


def say(**what: str) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Offer, take the answer, and play until standard input ends."""
    Gst.init(None)
    pipeline = Gst.parse_launch(PIPELINE)
    peer = pipeline.get_by_name("peer")
    loop = GLib.MainLoop()
    kept: list[Any] = []  # what webrtcbin uses after our references would be gone

    def tell_offer() -> bool:
        say(sdp=peer.get_property("local-description").sdp.as_text())
        return False

    def offered(promise: Any) -> None:
        reply = promise.get_reply()
        kept.extend([reply, reply["offer"]])
        peer.emit("set-local-description", reply["offer"], Gst.Promise.new())
        GLib.timeout_add(GATHERING_MS, tell_offer)

    def received(_: Any, pad: Any) -> None:
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("signal-handoffs", True)
        sink.set_property("sync", False)
        count = iter(range(1_000_000))

        def count_packet(*_: Any) -> None:
            if next(count) == 5:
                say(received=pad.get_current_caps().get_structure(0).get_string("media"))

        sink.connect("handoff", count_packet)
        pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def follow_input() -> None:
        text = json.loads(sys.stdin.readline())["sdp"]
        _, message = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        peer.emit("set-remote-description", answer, Gst.Promise.new())
        for line in text.split("\r\n"):
            if line.startswith("a=candidate"):
                peer.emit("add-ice-candidate", 0, line[2:])
        sys.stdin.read()
        GLib.idle_add(loop.quit)

    peer.connect(
        "on-negotiation-needed",
        lambda element: element.emit("create-offer", None, Gst.Promise.new_with_change_func(offered)),
    )
    peer.connect("pad-added", received)
    threading.Thread(target=follow_input, daemon=True).start()
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
