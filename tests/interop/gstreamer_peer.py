"""GStreamer's webrtcbin as a peer: prints its offer, reads the answer, prints what it receives; a line of JSON each.

Run by Debian's own python3, whose `gi` no virtual environment has; so nothing of this project is imported. It sends a
tone of 440 Hz and colour bars. With the argument `decode` it is on loopback only, and what it receives is decoded and
told: of sound the frequency, of pictures now and then the luma plane in base64.
"""

import array
import base64
import json
import sys
import threading
from itertools import pairwise
from typing import Any

import gi  # type: ignore[import-not-found]  # of the system, not of the virtual environment

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("Nice", "0.1")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC, Nice  # type: ignore[import-not-found]  # noqa: E402

PIPELINE = (
    "webrtcbin name=peer bundle-policy=max-bundle "
    "audiotestsrc is-live=true ! opusenc ! rtpopuspay pt=97 ! peer. "
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 "
    "! vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay pt=96 ! peer."
)
GATHERING_MS = 500
SOUND = "audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! fakesink name=out"
PICTURE = "videoconvert ! video/x-raw,format=GRAY8 ! fakesink name=out"
RATE = 48000


def say(**what: Any) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def stay_on_loopback(peer: Any) -> list[Any]:
    """Gather candidates of 127.0.0.1, which libnice leaves out by itself, and no other; keep what is returned."""
    address = Nice.Address.new()
    address.set_from_string("127.0.0.1")
    ice = peer.get_property("ice-agent")
    agent = ice.get_property("agent")
    agent.add_local_address(address)
    return [ice, agent]


class Listener:
    """Takes decoded sound and tells its frequency, from a second of it."""

    def __init__(self) -> None:
        self._samples = array.array("h")
        self._decoded = 0

    def take(self, _: Any, buffer: Any, pad: Any) -> None:
        """Take a buffer."""
        self._decoded += 1
        self._samples.frombytes(buffer.extract_dup(0, buffer.get_size()))
        if len(self._samples) >= RATE:
            samples, self._samples = self._samples, array.array("h")
            rising = sum(1 for a, b in pairwise(samples) if a < 0 <= b)
            say(sound={"hz": rising * RATE / len(samples), "peak": max(samples), "decoded": self._decoded})


class Watcher:
    """Takes decoded pictures and tells every tenth."""

    def __init__(self) -> None:
        self._decoded = 0

    def take(self, _: Any, buffer: Any, pad: Any) -> None:
        """Take a buffer."""
        self._decoded += 1
        if self._decoded % 10:
            return
        form = pad.get_current_caps().get_structure(0)
        (_, width), (_, height) = form.get_int("width"), form.get_int("height")
        luma = base64.b64encode(buffer.extract_dup(0, buffer.get_size())).decode()
        say(picture={"width": width, "height": height, "luma": luma, "decoded": self._decoded})


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

    def decode(_: Any, pad: Any) -> None:
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", show)
        pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def show(_: Any, pad: Any) -> None:
        is_sound = pad.get_current_caps().get_structure(0).get_name().startswith("audio/")
        branch = Gst.parse_bin_from_description(SOUND if is_sound else PICTURE, True)
        sink = branch.get_by_name("out")
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", (Listener() if is_sound else Watcher()).take)
        kept.append(branch)
        pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

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
    if "decode" in sys.argv:
        kept.extend(stay_on_loopback(peer))
        peer.connect("pad-added", decode)
    else:
        peer.connect("pad-added", received)
    threading.Thread(target=follow_input, daemon=True).start()
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
