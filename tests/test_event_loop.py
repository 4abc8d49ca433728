"""Which loop our processes run on."""

from __future__ import annotations

import pytest

from pexrtc_py.event_loop import loop_factory


def test_uvloop_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is on by default, and can be left out by the environment; asyncio's own is what None means."""
    uvloop = pytest.importorskip("uvloop")
    monkeypatch.delenv("PEXRTC_LOOP", raising=False)
    factory = loop_factory()
    assert factory is not None
    loop = factory()
    try:
        assert isinstance(loop, uvloop.Loop)
    finally:
        loop.close()
    monkeypatch.setenv("PEXRTC_LOOP", "asyncio")
    assert loop_factory() is None
