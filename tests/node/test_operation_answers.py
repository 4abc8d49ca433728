"""Every operation the node has, called once over HTTP as a Host: the answer has the type that the table says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pexrtc_py.node import Node
from pexrtc_py.protocol.models import decode_model, encode_model
from pexrtc_py.protocol.operations import OPERATIONS, Answer

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker

OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 X 0\r\n"

# What to send where a body or a query is wanted; the participant is Bob for what Hosts do, Alice for what is her own.
BODIES: Mapping[str, object] = {
    "dial": {"role": "guest", "destination": "bob@example.com", "protocol": "sip"},
    "conference_message": {"type": "text/plain", "payload": "Hello"},
    "set_guests_can_unmute": {"setting": False},
    "transform_layout": {"transforms": {"layout": "1:7"}},
    "override_layout": {"layout": "1:0"},
    "set_message_text": {"text": "Hello"},
    "participant_dtmf": {"digits": "1"},
    "participant_calls": {"call_type": "WEBRTC", "sdp": OFFER},
    "participant_role": {"role": "chair"},
    "participant_transfer": {"conference_alias": "meet.bob", "role": "guest"},
    "participant_overlaytext": {"text": "Bob"},
    "participant_message": {"type": "text/plain", "payload": "Hello"},
    "participant_fecc": {"action": "start", "movement": [{"axis": "pan", "direction": "left"}], "timeout": 1000},
    "call_fecc": {"action": "stop", "movement": []},
    "participant_preferred_aspect_ratio": {"aspect_ratio": 1.777},
    "participant_pres_in_mix": {"state": True},
    "call_dtmf": {"digits": "1"},
    "call_update": {"sdp": OFFER},
    "call_new_candidate": {"candidate": "", "mid": "0", "ufrag": "x"},
    "call_statistics": {"audio": {"rx_bitrate": 1.5}},
}
NO_FILE = {"theme_file", "participant_avatar", "presentation_jpeg", "presentation_high_jpeg"}
ELSEWHERE = {"request_token", "events", "presentation_upload"}  # tested by name in test_server and test_conference
SUPPORTED = sorted(name for name, operation in OPERATIONS.items() if operation.supported and name not in ELSEWHERE)


@pytest.mark.parametrize("name", SUPPORTED)
async def test_the_answer_has_the_type_of_the_table(name: str) -> None:
    """A result decodes as the table's type and stays the same through it; what has no file says so."""
    operation = OPERATIONS[name]
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        await bob.join("Bob")
        call = (await alice.post(alice.mine("calls"), BODIES["participant_calls"]))["call_uuid"]
        whose = bob if operation.caller == "Hosts" else alice
        path = operation.fill(participant=whose.uuid, call=call, path="logo.png")
        params = {"id": "MV8x"} if name in NO_FILE else {}
        response = await alice.request(operation.verb, path, BODIES.get(name), params=params)
        if name in NO_FILE:
            assert (response.status_code, response.json()["status"]) == (404, "failed")
        elif name == "theme":
            assert (response.status_code, response.content) == (204, b"")
        else:
            assert response.status_code == 200, response.text
            assert operation.answer is Answer.JSON
            envelope = response.json()
            assert envelope["status"] == "success"
            if name == "call_disconnect":  # the guide's boolean is null on newer nodes
                assert envelope["result"] is None
            else:
                decode_model(encode_model(envelope["result"]), operation.result)


async def test_a_role_change_is_told_by_the_next_refresh() -> None:
    """Clients compare the role at every refresh, so it is always there and always the one of now."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        await bob.join("Bob")
        await alice.post(f"participants/{bob.uuid}/role", {"role": "guest"})
        assert (await bob.post("refresh_token"))["role"] == "GUEST"
