"""The media of a conference, with real peers on 127.0.0.1."""

from __future__ import annotations

import asyncio
import io
import time as clocks

import pytest
from PIL import Image

from pexrtc_py.errors import CodecMismatch, SdpError
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.node.media_port import CallOffer
from pexrtc_py.protocol.models import CallUuid, ParticipantUuid
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind
from pexrtc_py.protocol.sdp import Direction
from tests.node.conference_media_clients import Client, conference, luma_of, perform, strength


async def test_three_hear_and_see_the_others_and_not_themselves() -> None:
    """Tones and greys tell who is heard and seen; the main speaker sees the one before."""
    clients = [
        Client("ada", hertz=400, grey=60),
        Client("ben", hertz=700, grey=120),
        Client("cleo", hertz=1100, grey=200),
    ]
    async with conference(*clients) as (media, listener):
        for client in clients:
            client.add_main()
            await client.join(media)
        media.set_stage([client.name for client in clients])
        await perform(clients, 2.0)
        for client in clients:
            sound = client.heard.last(0.8)
            for other in clients:
                expected = 0 if other is client else 6000
                assert strength(sound, other.hertz) == pytest.approx(expected, abs=600), (client.name, other.name)
        assert [client.seen.grey for client in clients] == pytest.approx([120, 60, 60], abs=6)
        assert all(client.seen.frames[0].key for client in clients)
        assert sorted(listener.voices) == [("ada", True), ("ben", True), ("cleo", True)]
        media.set_stage([clients[2].name, clients[0].name])
        media.set_muted(clients[0].name, muted=True)
        await perform(clients, 1.5)
        assert [client.seen.grey for client in clients] == pytest.approx([200, 200, 60], abs=6)
        assert strength(clients[1].heard.last(0.5), 400) < 300
        assert strength(clients[1].heard.last(0.5), 1100) == pytest.approx(6000, abs=600)
        assert listener.lost == []


async def test_h264_and_vp8_see_each_other() -> None:
    """What one cannot decode is transcoded; whoever has the codec gets it as it is."""
    ada = Client("ada", grey=90, codec=Codec.H264)
    ben = Client("ben", grey=180, codec=Codec.VP8)
    cleo = Client("cleo", codec=Codec.H264)
    clients = [ada, ben, cleo]
    async with conference(*clients) as (media, _):
        for client in clients:
            client.add_main()
            await client.join(media)
        media.set_stage([ada.name, ben.name])
        await perform(clients, 1.8)
    assert [client.seen.grey for client in clients] == pytest.approx([180, 90, 90], abs=6)
    assert {frame.codec for frame in ada.seen.frames} == {frame.codec for frame in cleo.seen.frames} == {Codec.H264}
    assert {frame.codec for frame in ben.seen.frames} == {Codec.VP8}
    assert all(client.seen.frames[0].key for client in clients)


async def test_whoever_has_the_codec_gets_pictures_as_they_are_and_keeps_it() -> None:
    """One that takes both gets H.264 untouched, though it prefers VP8, and H.264 again of a publisher of VP8."""
    ada, ben, both = Client("ada", grey=90, codec=Codec.H264), Client("ben", grey=180), Client("both")
    async with conference(ada, ben, both) as (media, _):
        ada.add_main()
        ben.add_main()
        both.add_main(Codec.VP8, Codec.H264)
        for client in (ada, ben, both):
            await client.join(media)
        media.set_stage([ada.name])
        await perform([ada], 1.0)
        assert both.seen.grey == pytest.approx(90, abs=6)
        assert _units(both.seen.frames[0].data) in [_units(frame.data) for frame in ada.sent]
        media.set_stage([ben.name])
        await perform([ada, ben], 1.5)
        assert both.seen.grey == pytest.approx(180, abs=6)
    assert {frame.codec for frame in both.seen.frames} == {Codec.H264}


def _units(data: bytes) -> list[bytes]:
    """The NAL units, however their start codes are written."""
    return data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")


async def test_digits_reach_the_listener_and_the_client() -> None:
    """RFC 4733 events of a client are reported once per digit; digits of the node are sent the same way."""
    ada = Client("ada", hertz=400)
    heard: list[str] = []
    async with conference(ada) as (media, listener):
        ada.add_main()
        await ada.join(media)
        assert ada.audio is not None
        assert ada.audio.sender is not None
        assert ada.audio.receiver is not None
        ada.audio.receiver.on_digit = heard.append
        await perform([ada], 0.3)
        media.send_digits(ada.name, "9*")
        ada.audio.sender.send_digits("12#")
        await perform([ada], 1.5)
        assert listener.digits == [("ada", "1"), ("ada", "2"), ("ada", "#")]
        assert heard == ["9", "*"]


async def test_digits_for_whoever_takes_none_are_lost() -> None:
    """A client without telephone events, aiortc's own for one, made the request that plays digits fail."""
    ada = Client("ada", hertz=400)
    async with conference(ada) as (media, _):
        ada.add_main()
        offer = await ada.peer.create_offer()
        offer = "".join(row for row in offer.splitlines(keepends=True) if "telephone-event" not in row)
        answer = await media.add_call(CallOffer(participant=ada.name, call=ada.call, sdp=offer))
        assert "telephone-event" not in answer.sdp
        media.send_digits(ada.name, "1")


async def test_lines_whose_places_others_take_are_parted() -> None:
    """What a line was joined to stayed joined for the life of the conference when its place got another mid."""
    ada, ben = Client("ada", grey=60), Client("ben", grey=200)
    async with conference(ada, ben) as (media, _):
        for client in (ada, ben):
            client.add_main()
            await client.join(media)
        await perform([ada, ben], 0.5)
        offer = (await ben.peer.create_offer()).replace("a=mid:1", "a=mid:x").replace("BUNDLE 0 1", "BUNDLE 0 x")
        await media.update_call(ben.call, offer)
        assert {key for key, _ in media._stage._outlets.items()} == {(ada.call, "1"), (ben.call, "x")}
        await media.remove_call(ben.call)
        assert list(media._stage._outlets) == [(ada.call, "1")]


async def test_a_presentation_is_forwarded_to_slides_lines_of_every_generation() -> None:
    """Sent by update, received by a sendrecv line from the start and by a call of its own; JPEGs are made of it."""
    presenter, always, separate = Client("ada", grey=150), Client("ben"), Client("cleo")
    clients = [presenter, always, separate]
    async with conference(*clients) as (media, listener):
        presenter.add_main()
        presenter.add_slides(Direction.INACTIVE)
        await presenter.join(media)
        always.add_main()
        always.add_slides(Direction.SENDRECV)
        await always.join(media)
        separate.add_slides(Direction.RECVONLY)
        await separate.join(media, present="receive")
        assert presenter.present is not None
        presenter.present.wanted = Direction.SENDONLY
        await presenter.update(media)
        media.set_floor(presenter.name)
        await perform([presenter], 2.0, on_slides=True)
        assert [client.slides.grey for client in clients] == [
            None,
            pytest.approx(150, abs=6),
            pytest.approx(150, abs=6),
        ]
        assert always.slides.frames[0].key
        assert 1 <= len(listener.jpegs) <= 3
        image = Image.open(io.BytesIO(listener.jpegs[-1]))
        assert (image.format, image.size) == ("JPEG", (160, 120))
        media.set_receives_presentation(always.name, allowed=False)
        before = len(always.slides.frames), len(separate.slides.frames)
        await perform([presenter], 0.5, on_slides=True)
        assert len(always.slides.frames) <= before[0] + 2
        assert len(separate.slides.frames) > before[1] + 5
        media.set_floor(None)
        presenter.present.wanted = Direction.INACTIVE
        await presenter.update(media)


async def test_a_presentation_call_of_its_own_presents() -> None:
    """Clients of 2016 send slides in a call with `present: send`, on a line that need not say what it is."""
    presenter, watcher = Client("ada", grey=150), Client("ben")
    async with conference(presenter, watcher) as (media, _):
        presenter.present = presenter.peer.add_line(Kind.VIDEO, direction=Direction.SENDONLY, codecs=[Codec.VP8])
        await presenter.join(media, present="send")
        watcher.add_main()
        watcher.add_slides(Direction.RECVONLY)
        await watcher.join(media)
        media.set_floor(presenter.name)
        await perform([presenter], 1.5, on_slides=True)
        assert watcher.slides.grey == pytest.approx(150, abs=6)
        assert watcher.seen.frames == []


async def test_a_test_call_sends_everything_back_after_a_while() -> None:
    """The caller hears and sees itself, later by the delay that was set, beginning with a key frame."""
    ada = Client("ada", hertz=400, grey=120)
    settings = RoomSettings(alias="test.call", service_type=ServiceKind.TEST_CALL)
    async with conference(ada, settings=settings, echo_s=0.5) as (media, _):
        ada.add_main()
        await ada.join(media)
        began = clocks.monotonic()
        await perform([ada], 2.0)
        assert strength(ada.heard.last(0.5), 400) == pytest.approx(6000, abs=600)
        assert ada.seen.grey == pytest.approx(120, abs=6)
        assert ada.seen.frames[0].key
        assert 0.5 <= ada.heard.frames[0].arrival - began < 1.0


async def test_media_waits_for_ack_and_not_for_ever() -> None:
    """Nothing is sent before ack; a client that never sends it gets media a second after it is connected."""
    ada, ben = Client("ada"), Client("ben")
    async with conference(ada, ben) as (media, _):
        for client in (ada, ben):
            client.add_main()
            await client.join(media, ack=False)
        connected = clocks.monotonic()
        media.ack(ada.call)
        await perform([ada, ben], 1.7)
        assert ada.heard.frames[0].arrival - connected < 0.5
        assert 0.6 < ben.heard.frames[0].arrival - connected < 1.6


async def test_who_is_not_admitted_is_neither_seen_nor_heard_and_gets_nothing() -> None:
    """The waiting room: connected, and outside."""
    inside, waiting = Client("ada", hertz=400, grey=60), Client("ben", hertz=700, grey=200)
    async with conference(inside, waiting) as (media, _):
        for client in (inside, waiting):
            client.add_main()
            await client.join(media)
        media.set_admitted(waiting.name, admitted=False)
        await asyncio.sleep(0.1)
        frames = len(waiting.heard.frames)
        await perform([inside, waiting], 1.0)
        assert len(waiting.heard.frames) <= frames + 2
        assert waiting.seen.frames == []
        assert inside.seen.frames == []
        assert strength(inside.heard.last(0.5), 700) < 100
        media.set_admitted(waiting.name, admitted=True)
        await perform([inside, waiting], 1.5)
        assert inside.seen.grey == pytest.approx(200, abs=6)
        assert strength(waiting.heard.last(0.5), 400) == pytest.approx(6000, abs=600)


async def test_a_client_that_hangs_up_without_a_word_is_reported() -> None:
    """The end of its transport is told once; an end by the node is not."""
    ada, ben = Client("ada"), Client("ben")
    async with conference(ada, ben) as (media, listener):
        for client in (ada, ben):
            client.add_main()
            await client.join(media)
        await media.remove_call(ben.call)
        await media.remove_call(ben.call)
        await ada.peer.aclose()
        async with asyncio.timeout(10):
            await listener.has_lost.wait()
        assert listener.lost == [(ada.call, "Call disconnected")]


async def test_calls_that_do_not_exist_and_offers_that_cannot_be_used() -> None:
    """Unknown names change nothing; a bad offer raises and leaves no call."""
    ada = Client("ada")
    nobody, nowhere = ParticipantUuid("nobody"), CallUuid("nowhere")
    async with conference(ada) as (media, listener):
        media.ack(nowhere)
        media.set_muted(nobody, muted=True)
        media.send_digits(nobody, "1")
        media.remove_participant(nobody)
        await media.add_candidate(nowhere, "", None)
        await media.remove_call(nowhere)
        with pytest.raises(SdpError):
            await media.update_call(nowhere, "v=0\r\n")
        with pytest.raises(SdpError):
            await media.add_call(CallOffer(participant=nobody, call=nowhere, sdp="nonsense"))
        ada.peer.add_line(Kind.VIDEO, direction=Direction.SENDRECV, codecs=[Codec.VP9])
        with pytest.raises(CodecMismatch):
            await media.add_call(CallOffer(participant=ada.name, call=ada.call, sdp=await ada.peer.create_offer()))
        assert listener.lost == []


@pytest.mark.slow
async def test_a_layout_of_many_is_one_composed_picture() -> None:
    """With 4:0 everybody sees both publishers, each in its place and named; 1:7 is another picture while it runs; back
    to 1:0 the picture is forwarded again."""
    ada, ben, cleo = Client("ada", grey=60), Client("ben", grey=200), Client("cleo", codec=Codec.H264)
    clients = [ada, ben, cleo]
    async with conference(*clients) as (media, _):
        for client in clients:
            client.add_main()
            await client.join(media)
            media.set_name(client.name, client.name.title())
        media.set_layout("4:0")
        media.set_stage([ada.name, ben.name])
        await perform([ada, ben], 1.8)
        for client in clients:
            frame = client.seen.pictures[-1][1]
            assert (frame.width, frame.height) == (1280, 720)
            assert [luma_of(frame, 0.25), luma_of(frame, 0.75)] == pytest.approx([60, 200], abs=8)
            # Beneath Ada's dark face nothing is white but the letters of her name.
            assert frame.to_ndarray(format="yuv420p")[684:720, 250:390].max() > 190
        shapes = len(ada.seen.pictures)
        media.set_layout("1:7")
        await perform([ada, ben], 1.2)
        assert len(ada.seen.pictures) > shapes
        for client in clients:
            frame = client.seen.pictures[-1][1]
            assert [luma_of(frame, 0.5, 0.4), luma_of(frame, 1 / 14, 13 / 14)] == pytest.approx([60, 200], abs=8)
        media.set_layout("1:0")
        await perform([ada, ben], 1.5)
        assert [client.seen.grey for client in clients] == pytest.approx([200, 60, 60], abs=6)
        assert cleo.seen.pictures[-1][1].width == 160


async def test_present_main_mixes_slides_into_the_main_picture() -> None:
    """While a presentation runs the main line shows it large with the speaker beneath; afterwards the speaker alone."""
    ada, slides, ben = Client("ada", grey=60), Client("slides", grey=200), Client("ben")
    async with conference(ada, slides, ben) as (media, _):
        ada.add_main()
        await ada.join(media)
        ben.add_main()
        await ben.join(media, present="main")
        slides.present = slides.peer.add_line(Kind.VIDEO, direction=Direction.SENDONLY, codecs=[Codec.VP8])
        await slides.join(media, present="send")
        media.set_floor(slides.name)
        await asyncio.gather(perform([ada], 1.8), perform([slides], 1.8, on_slides=True))
        frame = ben.seen.pictures[-1][1]
        assert (frame.width, frame.height) == (1280, 720)
        assert luma_of(frame, 0.5, 0.4) == pytest.approx(200, abs=8)
        assert luma_of(frame, 1 / 14, 13 / 14) == pytest.approx(60, abs=8)
        media.set_floor(None)
        await perform([ada], 1.0)
        assert ben.seen.grey == pytest.approx(60, abs=6)
        assert ben.seen.pictures[-1][1].width == 160
