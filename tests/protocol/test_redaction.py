"""A redacted capture tells nothing of who, where and how to get in, and everything else as it was."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.protocol.models import Participant, TokenResult, decode_model, decode_reply
from pexrtc_py.protocol.redaction import Redactor
from pexrtc_py.protocol.sdp import parse_sdp

DATA = Path(__file__).parents[1] / "data"
SECRET = "Zyx☂ Wvutsrq"
UUID = "614221f4-3a5c-4d1f-8df6-3ae27188df54"

PLACES = st.sampled_from(
    ["token", "pin", "display_name", "uri", "uuid", "reason", "result", "status", "role", "sdp", "candidate", "url",
     "payload", "of_tomorrow", "overlay_text", "api_url", "layout", "type"]
)  # fmt: skip
HIDDEN = st.sampled_from(
    [SECRET, UUID, "10.44.99.2", "2001:db9::17", f"x {UUID} y", f"/participants/{UUID}", f"sip:{SECRET}@10.44.99.2",
     "stun:10.44.99.2:3478", f"candidate:1 1 udp 1 10.44.99.2 1 typ host ufrag {SECRET}",
     f"v=0\r\no=- 1 1 IN IP4 10.44.99.2\r\ns={SECRET}\r\nc=IN IP6 2001:db9::17\r\na=ice-pwd:{SECRET}\r\na=new:{SECRET}",
     f"a={SECRET}", f"https://10.44.99.2/{SECRET}"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | HIDDEN | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(PLACES | HIDDEN | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, st.text(max_size=12))
def test_nothing_hidden_is_left(value: object, key: str) -> None:
    """Whatever the shape, wherever it stands, also as a key: no name, id or address comes through."""
    text = json.dumps(Redactor().redact(value, key), ensure_ascii=False)
    for part in (SECRET, "Wvutsrq", UUID, "10.44.99.2", "2001:db9"):
        assert part not in text


@given(JSON)
def test_shape_and_numbers_stay(value: object) -> None:
    """Lists keep their length, and numbers, flags and nulls their value."""

    def shape(item: object) -> object:
        if isinstance(item, dict):
            return sorted(repr(shape(inner)) for inner in item.values())
        if isinstance(item, list):
            return [shape(inner) for inner in item]
        return "text" if isinstance(item, str) else item

    redacted = Redactor().redact(value)
    if not _has_equal_keys(value):
        assert shape(redacted) == shape(value)


def _has_equal_keys(value: object) -> bool:
    """Whether keys may fall together when redacted: those that stand for the same thing in a different place."""
    if isinstance(value, dict):
        return any(not key.isidentifier() for key in value) or any(map(_has_equal_keys, value.values()))
    return isinstance(value, list) and any(map(_has_equal_keys, value))


@given(st.text())
def test_any_text_is_a_description_too(text: str) -> None:
    """No text breaks it, and redacting twice changes only names of what is known already."""
    Redactor().redact_sdp(text)
    Redactor().redact_path(text)
    Redactor().redact_event_id(text)


def test_the_same_by_the_same() -> None:
    """An id is the same in paths, answers and events, a name wherever it stands."""
    redactor = Redactor({"meet.alice": "meet.captured"})
    person = {"uuid": UUID, "display_name": "Alice", "overlay_text": "Alice", "api_url": f"/participants/{UUID}"}
    redacted = redactor.redact({"result": [person], "alias": "meet.alice"})
    assert redacted == {
        "result": [
            {
                "uuid": "00000000-0000-4000-8000-000000000001",
                "display_name": "Name 1",
                "overlay_text": "Name 1",
                "api_url": "/participants/00000000-0000-4000-8000-000000000001",
            }
        ],
        "alias": "meet.captured",
    }
    assert redactor.redact_path(f"participants/{UUID}/mute").split("/")[1] == "00000000-0000-4000-8000-000000000001"
    assert redactor.redact_event_id("MTAuNDQuOTkuMl8xOA==") != redactor.redact_event_id("MTAuNDQuOTkuMl8xOQ==")


def test_real_answers_still_decode() -> None:
    """What a node of release 36 said reads the same but for names, ids and secrets."""
    said = json.loads((DATA / "json/android-sdk/request_token_v36.json").read_bytes())
    reply = decode_reply(msgspec.json.encode(Redactor().redact(said)))
    token = decode_model(reply.result, TokenResult)
    assert (token.token, token.display_name, token.role, token.expires) == ("secret-1", "Name 1", "HOST", "120")
    assert token.client_stats_update_interval == pytest.approx(4411.07, abs=0.01)
    assert token.version.version_id == "36"
    person = json.loads((DATA / "json/android-sdk/participant_create.json").read_bytes())
    before, after = (decode_model(msgspec.json.encode(p), Participant) for p in (person, Redactor().redact(person)))
    assert msgspec.structs.asdict(after).keys() == msgspec.structs.asdict(before).keys()
    for name in ("role", "protocol", "service_type", "is_muted", "has_media", "start_time", "spotlight", "encryption"):
        assert getattr(after, name) == getattr(before, name)


@pytest.mark.parametrize("path", sorted((DATA / "sdp").glob("*.sdp")), ids=lambda path: path.stem)
def test_descriptions_still_negotiate(path: Path) -> None:
    """Lines, codecs, directions and ids of media stay; addresses, keys and fingerprints do not."""
    text = path.read_bytes().decode()
    redacted = Redactor().redact_sdp(text)
    before, after = parse_sdp(text), parse_sdp(redacted)
    assert before.media
    for old, new in zip(before.media, after.media, strict=True):
        assert (new.media, new.port, new.mid, new.direction) == (old.media, old.port, old.mid, old.direction)
        assert new.formats == old.formats
        assert len(new.candidates) == len(old.candidates)
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in ("a=ice-ufrag", "a=ice-pwd", "a=fingerprint"):
            assert value.split()[-1] not in redacted
