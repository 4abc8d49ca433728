"""A call that cannot be: said in one line, and nothing of it stays at the node."""

from __future__ import annotations

import pytest

import pexrtc_py
from pexrtc_py import CallConfig, Codec, Direction, Node
from pexrtc_py.cli.exits import ExitCode, exit_code_of
from pexrtc_py.errors import SignallingError


async def test_no_common_codec() -> None:
    """A picture in a codec the node does not speak is refused by name; the participant stays, and leaves cleanly."""
    async with Node() as node:
        async with pexrtc_py.connect(node.url, "meet.alice") as conference:
            config = CallConfig(audio=Direction.INACTIVE, video_codecs=(Codec.VP9,))
            with pytest.raises(SignallingError) as refused:
                async with conference.call(config):
                    pass
            assert "no line of the offer has a codec in common with us" in str(refused.value)
            assert exit_code_of(refused.value) is ExitCode.UNREACHABLE
            assert conference.session.closed is None
        assert not node.state.conferences, "the token was not given back"
