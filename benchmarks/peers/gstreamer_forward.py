"""GStreamer forwarding one call to others: the packets of a webrtcbin through a tee and queues to a webrtcbin of each.

Args: how many subscribers. Says the publisher's `{"call": 0, "offer": sdp}` and takes its answer; then takes
`{"call": n, "offer": sdp}` of subscriber n and says `{"call": n, "answer": sdp}`. Nothing is decoded, and nothing even
depayloaded; a subscriber's wish for a key frame goes up through the tee.
"""

import sys
from typing import Any

from benchmarks.peers.gstreamer_call import Gst, Peer, run_loop

ENTRY = (
    "webrtcbin name=publisher bundle-policy=max-bundle "
    "tee name=audio allow-not-linked=true tee name=video allow-not-linked=true "
)
EXIT = (
    "webrtcbin name=subscriber{number} bundle-policy=max-bundle "
    "audio. ! queue ! application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload=111 "
    "! subscriber{number}. "
    "video. ! queue ! application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96 "
    "! subscriber{number}. "
)


def main() -> None:
    """Forward until the input ends."""
    pipelines: list[Any] = []
    peers: list[Peer] = []

    def begin() -> None:
        subscribers = range(int(sys.argv[1]))
        pipeline = Gst.parse_launch(ENTRY + "".join(EXIT.format(number=number) for number in subscribers))
        pipelines.append(pipeline)
        publisher = Peer(0, pipeline.get_by_name("publisher"))
        publisher.element.connect("pad-added", received)
        peers.append(publisher)
        peers.extend(Peer(number, pipeline.get_by_name(f"subscriber{number}")) for number in subscribers)
        pipeline.set_state(Gst.State.PLAYING)
        publisher.offer()

    def received(_: Any, pad: Any) -> None:
        if pad.get_direction() is Gst.PadDirection.SRC:
            media = pad.get_current_caps().get_structure(0).get_string("media")
            pad.link(pipelines[0].get_by_name(media).get_static_pad("sink"))

    def follow(said: dict[str, Any]) -> None:
        if "answer" in said:
            peers[0].accept(said["answer"])
        elif "offer" in said:
            peers[1 + said["call"]].answer(said["offer"])

    run_loop(begin, follow, lambda: pipelines[0].set_state(Gst.State.NULL))


if __name__ == "__main__":
    main()
