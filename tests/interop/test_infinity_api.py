"""Every response of the node passes the validators of @pexip/infinity-api 20.0.0, which throw at any deviation."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from pexrtc_py.node import Node, NodeConfig
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind
from tests.interop.conftest import bundle, need_program

OFFER = Path(__file__).parents[1] / "data/sdp/chromium-156-infinity-three-lines-offer.sdp"

NOT_ASKED = {
    "callsRtmpParticipant",  # its own test, with a server of RTMP
    "showLiveCaptions",  # nobody listens for words in an embedded node: 404, for which there is no schema
    "hideLiveCaptions",
    "silentVideoDetection",
    "videoMixesCreate",
    "videoMixesConfigure",
    "videoMixesDelete",
    "guestBreakoutBuzz",
    "guestClearBreakoutBuzz",
    "guestLeaveBreakout",
    "hostBreakoutBuzz",
    "hostClearBreakoutBuzz",
}
"""Operations the node does not have, breakouts besides; `docs/operations.md` says why."""
NO_OPERATION = {"withToken", "withPin", "getErrorCode", "ValidationError", "NonJSONResponseError"}

STATUS = {
    ("nobody", "requestToken"): 403,
    ("wrong", "requestToken"): 403,
    ("lost", "requestToken"): 404,
    ("caller", "requestToken"): 403,
    ("caller without aim", "requestToken"): 404,
    ("guest", "disconnectParticipant"): 403,
    ("guest", "lock"): 403,
    ("guest", "messageConference"): 200,
    ("host", "avatarJpgParticipant"): 404,
    ("host", "theme"): 204,
    ("stranger", "refreshToken"): 403,
    ("stranger", "lock"): 403,
}
"""What is to be answered, where it is not 200 to the host."""


@pytest.fixture(scope="session")
def api_check(infinity_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script, bundled: the package's modules import each other as only bundlers take it."""
    return bundle(infinity_folder, "api_check.js", tmp_path_factory.mktemp("api") / "api_check.mjs", "--format=esm")


async def test_every_response_is_valid(api_check: Path) -> None:
    """Host, guest, one without a token, and those who are not let in ask everything; no schema is hurt."""
    conferences = {
        "meet.alice": RoomSettings(pin="1234", guest_pin="5678"),
        "reception": RoomSettings(service_type=ServiceKind.VIRTUAL_RECEPTION),
    }
    config = NodeConfig(conferences=conferences, open=False, statistics_interval_ms=4411.068)
    async with asyncio.timeout(50), Node(config) as node:
        process = await asyncio.create_subprocess_exec(
            *(need_program("node", "nodejs"), api_check),
            env={**os.environ, "NODE_URL": node.url, "OFFER": OFFER.read_bytes().decode()},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert process.returncode == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line for line in lines if "invalid" in line] == []
    assert {line["status"] for line in lines if "without_schema" in line} == {403}  # refusals, and only to these:
    assert {line["as"] for line in lines if "without_schema" in line} == {"guest", "stranger"}
    asked = {(line["as"], line["name"]): line["status"] for line in lines[:-1]}
    assert {key: asked[key] for key in STATUS} == STATUS
    assert {
        key: status for key, status in asked.items() if key[0] == "host" and key not in STATUS and status != 200
    } == {}
    every = {name for name in lines[-1]["exported"] if not name.startswith("breakout")}
    assert every - {name for _, name in asked} - NO_OPERATION == NOT_ASKED
