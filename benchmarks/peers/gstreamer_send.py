"""GStreamer sending a prepared file to calls: filesrc, demuxer, payloaders and webrtcbin of each in one process.

Args: how many calls, the file. Takes `{"call": n, "offer": sdp}`, says `{"call": n, "answer": sdp}`, and ends with its
input; the file is played once. Offers are answered once the pipeline has its pads.
"""

import sys
from typing import Any

from benchmarks.peers.gstreamer_call import Gst, Peer, run_loop

PIPELINE = (
    "webrtcbin name=peer bundle-policy=max-bundle filesrc location={path} ! matroskademux name=demux "
    "demux.audio_0 ! queue ! identity sync=true ! rtpopuspay pt=111 ! "
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! peer. "
    "demux.video_0 ! queue ! identity sync=true ! rtpvp8pay pt=96 mtu=1200 ! "
    "application/x-rtp,media=video,encoding-name=VP8,payload=96 ! peer."
)


def main() -> None:
    """Send until the input ends."""
    pipelines: list[Any] = []
    peers: list[Peer] = []

    def begin() -> None:
        for number in range(int(sys.argv[1])):
            pipeline = Gst.parse_launch(PIPELINE.format(path=sys.argv[2]))
            pipelines.append(pipeline)
            peers.append(Peer(number, pipeline.get_by_name("peer")))
            pipeline.set_state(Gst.State.PLAYING)

    def follow(said: dict[str, Any]) -> None:
        if "offer" in said:
            peers[said["call"]].answer(said["offer"])

    def end() -> None:
        for pipeline in pipelines:
            pipeline.set_state(Gst.State.NULL)

    run_loop(begin, follow, end)


if __name__ == "__main__":
    main()
