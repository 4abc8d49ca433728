"""Bodies and results: every example of the guide and every capture is read, nothing unknown breaks, secrets hide."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import RemoteProtocolError
from pexrtc_py.protocol.models import (
    UNSET,
    CallKind,
    CallRequest,
    CallResult,
    CallUuid,
    DialRequest,
    Message,
    Participant,
    ParticipantRole,
    ParticipantUuid,
    Role,
    ServiceType,
    TokenPrompt,
    TokenRequest,
    TokenResult,
    TransferRequest,
    decode_model,
    decode_reply,
    encode_failure,
    encode_model,
    encode_success,
)
from pexrtc_py.protocol.operations import OPERATIONS

DATA = Path(__file__).parents[1] / "data" / "json"
GUIDE = DATA / "guide-v14"
ANDROID = DATA / "android-sdk"


@pytest.mark.parametrize("path", sorted(GUIDE.glob("*.re*.json")), ids=lambda path: path.stem)
def test_guide_example(path: Path) -> None:
    """Every request and result of the guide is read and written back with all it had."""
    operation = OPERATIONS[path.name.partition(".")[0]]
    model: Any = operation.body if ".request." in path.name else operation.result
    read = decode_model(path.read_bytes(), model)
    before, after = json.loads(path.read_text()), json.loads(encode_model(read))
    if isinstance(before, dict):
        after = {key: value for key, value in after.items() if key in before}
    if path.name.startswith("dial.request"):
        before["role"] = "GUEST"  # the guide's word for what clients spell in capitals
    assert after == before


@pytest.mark.parametrize("version", ["v35", "v36"])
def test_captured_token(version: str) -> None:
    """The token results of real nodes are read without falling back to tolerance, and nothing of them is lost."""
    reply = decode_reply((ANDROID / f"request_token_{version}.json").read_bytes())
    assert reply.succeeded
    result = msgspec.json.decode(reply.result, type=TokenResult)
    captured = json.loads(bytes(reply.result))
    assert set(captured) <= set(TokenResult.__struct_fields__)
    assert result.lifetime_s == 120
    assert result.stun is UNSET
    assert json.loads(encode_model(result)) | captured == captured | json.loads(encode_model(result))


def test_captured_participant() -> None:
    """The participant of a real node is read and written back unchanged."""
    captured = json.loads((ANDROID / "participant_create.json").read_bytes())
    participant = decode_model((ANDROID / "participant_create.json").read_bytes(), Participant)
    assert set(captured) <= set(Participant.__struct_fields__)
    written = json.loads(encode_model(participant))
    assert {key: written[key] for key in captured} == captured


def test_captured_update() -> None:
    """`update` is answered by a string or by an object (and without a status)."""
    for name, kind in (("update_response", str), ("update_response_direct_media", CallResult)):
        reply = decode_reply((ANDROID / f"{name}.json").read_bytes())
        assert reply.succeeded
        assert isinstance(decode_model(reply.result, CallResult | str), kind)


def test_odd_optional_value_counts_as_not_given() -> None:
    """One value of an unexpected type does not cost the participant, a missing UUID does."""
    odd = (
        b'{"uuid":"u","is_video_muted":"maybe","start_time":"3.5","role":7,"buzz_time":null,"display_name":"B","x":{}}'
    )
    participant = decode_model(odd, Participant)
    assert (participant.uuid, participant.display_name, participant.start_time) == ("u", "B", 3.5)
    assert participant.role is ParticipantRole.UNKNOWN
    assert not participant.hand_raised
    with pytest.raises(RemoteProtocolError, match="uuid"):
        decode_model(b'{"display_name":"B"}', Participant)


def test_flags_are_read() -> None:
    """Words of the wire stay; properties read them."""
    participant = Participant(uuid=ParticipantUuid("u"), is_muted="YES", is_presenting="YES", is_video_call="YES")
    assert participant.muted
    assert participant.presenting
    assert participant.has_video
    assert not participant.audio_only
    assert encode_model(participant).count(b'"YES"') == 3


def test_full_set_is_written() -> None:
    """A participant is written with the whole set of release 36, newer keys only when set (the Swift SDK is strict)."""
    written = json.loads(encode_model(Participant(uuid=ParticipantUuid("u"))))
    captured = json.loads((ANDROID / "participant_create.json").read_bytes())
    assert set(captured) <= set(written) | {"supports_direct_chat"}
    assert "custom_properties" not in written


def test_roles() -> None:
    """Host and chair are one, in any spelling; anything else is unknown."""
    assert DialRequest(role=Role("chair"), destination="d", protocol="sip").role is Role.HOST
    assert decode_model(b'{"role":"host","conference_alias":"a"}', TransferRequest).role is ParticipantRole.CHAIR
    assert Role("king") is Role.UNKNOWN
    assert ServiceType("waiting room") is ServiceType.WAITING_ROOM


def test_bodies_are_short() -> None:
    """What was not given is not sent; what the wire needs is."""
    assert encode_model(TokenRequest(display_name="A")) == b'{"display_name":"A"}'
    assert encode_model(Message(payload="x")) == b'{"type":"text/plain","payload":"x"}'
    assert encode_model(CallRequest(call_type=CallKind.WEBRTC, sdp="v=0")) == b'{"call_type":"WEBRTC","sdp":"v=0"}'


def test_secrets_hide() -> None:
    """No `repr` shows token, PIN or credential."""
    result = decode_model(
        b'{"token":"s3cret","participant_uuid":"p","turn":[{"urls":["turn:t"],"username":"s3cret","credential":"s3cret"}]}',
        TokenResult,
    )
    request = TransferRequest(conference_alias="a", role=ParticipantRole.GUEST, pin="s3cret")
    one_time = TokenRequest(display_name="A", token="s3cret", sso_token="s3cret")
    assert "s3cret" not in f"{result!r} {result} {request!r} {one_time!r}"
    assert "turn:t" in repr(result)
    call = CallRequest(call_type=CallKind.WEBRTC, sdp="a=ice-pwd:s3cret")
    made = CallResult(call_uuid=CallUuid("c"), sdp="a=ice-pwd:s3cret", url="rtmp://h/s3cret")
    assert "s3cret" not in f"{call!r} {made!r}"
    assert "sdp" in repr(made)


@pytest.mark.parametrize("expires", ['"0"', '"0.01"', "0.9", '"soon"', '"nan"', '"inf"', '"1e9"', "-1"])
def test_lifetime_must_be_a_number(expires: str) -> None:
    """A token that ends at no sensible time is the node's fault, and one that nobody can keep is as good as none."""
    result = decode_model(f'{{"token":"t","participant_uuid":"p","expires":{expires}}}'.encode(), TokenResult)
    with pytest.raises(RemoteProtocolError, match="expires"):
        _ = result.lifetime_s


def test_replies() -> None:
    """The envelope is written as all clients take it."""
    assert encode_success(None) == b'{"status":"success","result":null}'
    assert encode_failure("Invalid PIN") == b'{"status":"failed","result":"Invalid PIN"}'
    assert not decode_reply(b'{"status":"failure","result":"x"}').succeeded


MODELS = sorted(
    {op.body for op in OPERATIONS.values() if op.body} | {Participant, TokenResult, CallResult, TokenPrompt},
    key=lambda model: model.__name__,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(data=st.binary(), model=st.sampled_from(MODELS))
def test_any_bytes(data: bytes, model: type[msgspec.Struct]) -> None:
    """Any bytes are read, or refused with the documented error."""
    with suppress(RemoteProtocolError):
        decode_model(data, model)
    with suppress(RemoteProtocolError):
        decode_reply(data)


@given(data=st.data(), model=st.sampled_from(MODELS))
def test_any_values(data: st.DataObject, model: type[msgspec.Struct]) -> None:
    """Any JSON values in the right places are read, or refused as documented; what was read can be written."""
    values = {name: data.draw(JSON) for name in model.__struct_fields__ if data.draw(st.booleans())}
    try:
        read = decode_model(json.dumps(values).encode(), model)
    except RemoteProtocolError:
        return
    assert isinstance(read, model)
    assert decode_model(encode_model(read), model) == read
