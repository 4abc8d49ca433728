"""Record half a minute of a conference, without decoding anything.

python samples/record.py http://127.0.0.1:8080 meet.alice talk.mkv 30
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pexrtc_py
from pexrtc_py import RecordingConfig, RecordJob, SessionConfig, StopRules


async def main(node_url: str, alias: str, path: str, seconds: str) -> None:
    """Join, record, and say what was recorded."""
    job = RecordJob(
        session=SessionConfig(node_url=node_url, alias=alias, display_name="Recorder", call_tag=pexrtc_py.RECORDER_TAG),
        recording=RecordingConfig(path=Path(path), stop=StopRules(duration_s=float(seconds))),
    )
    recorded = await pexrtc_py.record(job)
    for stream in recorded.result.streams:
        print(f"{stream.role}: {stream.codec}, {stream.packets} frames, {stream.gaps} gaps")
    print(f"{recorded.result.duration_s:.1f} s in {recorded.result.file}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
