"""A node made of nothing but what real nodes were seen to say: it imports nothing of pexrtc_py.

Signalling is as real nodes were captured and real clients expect it: no `stun` key, `turn` empty, a fractional
interval of statistics, sync begin with `null`, full participant objects with YES and NO, `update` answered by a string
and by an object in turn. Media is aiortc's own peer connection behind answers reshaped as section 3.5 has them:
`setup:active`, wildcard feedback, TCP candidates beside UDP in the first line only, no end of candidates, slides
inactive unless offered otherwise.

`answers` replaces single results. A `Capture` of another node (`pexrtc doctor --capture`) is served as it is: its
token, its roster, its events; only media is always this node's own.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support.replay_call import ReplayCall

CAPTURES = Path(__file__).parents[1] / "data" / "json" / "android-sdk"


class Capture:
    """What a node said to one client, by request; what was said several times is said again in that order."""

    def __init__(self, text: bytes) -> None:
        read = json.loads(text)
        assert read["format"] == "pexrtc capture 1"
        self.events: list[dict[str, Any]] = read["events"]
        self._answers: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for said in read["requests"]:
            self._answers.setdefault((said["verb"], said["path"]), []).append(said)

    def answer(self, verb: str, path: str) -> dict[str, Any] | None:
        said = self._answers.get((verb, path), [])
        return said[0] if len(said) == 1 else said.pop(0) if said else None


class ReplayNode:
    """One conference `meet.replay`, one other participant, any number of calls."""

    def __init__(
        self, tasks: asyncio.TaskGroup, answers: dict[str, object] | None = None, capture: Capture | None = None
    ) -> None:
        self.capture = capture
        self.url = ""
        self.address = "127.0.0.1"
        self.answers = answers or {}
        self.calls: dict[str, ReplayCall] = {}
        self.released = 0
        self.breakouts: dict[str, str] = {}
        """Breakouts that calls are taken in: by UUID, who the caller is there."""
        self.told_first: list[tuple[str, object]] = []
        """Events that follow the list of participants of every stream."""
        self.asked_inside: list[str] = []
        """What was asked inside of breakouts, but for calls."""
        self.unanswered: set[str] = set()
        """Functions of calls that get no answer, for as long as the client waits."""
        self.refused: list[str] = []
        """Requests that no real node would have taken."""
        self.participants = {p["uuid"]: p for p in [self._participant("George", "chair")]}
        self._tokens: dict[str, str] = {}
        self._streams: list[asyncio.Queue[bytes | None]] = []
        self._events = 0
        self._updates = 0
        self._task_group = tasks
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(self._task_group.create_task(coroutine))

    async def aclose(self) -> None:
        for queue in self._streams:
            queue.put_nowait(None)
        for call in self.calls.values():
            await call.pc.close()
        for task in self._tasks:
            task.cancel()

    def send(self, name: str, data: object) -> None:
        """Send an event to all."""
        for queue in self._streams:
            queue.put_nowait(self._event(name, data))

    def _event(self, name: str, data: object) -> bytes:
        self._events += 1
        return f"id: MjdfMg==\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()

    def _participant(self, name: str, role: str) -> dict[str, Any]:
        captured: dict[str, Any] = json.loads((CAPTURES / "participant_create.json").read_text())
        own = str(uuid.uuid4())
        return captured | {
            "uuid": own, "api_url": f"/participants/{own}", "display_name": name, "overlay_text": name, "role": role,
            "service_type": "conference", "start_time": time.time(), "is_presenting": "NO", "is_muted": "NO",
            "protocol": "api", "has_media": False,
        }  # fmt: skip

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.split("/conferences/", 1)[-1]
        if request.path == "/api/client/v2/status":
            return _reply("OK")
        alias, _, path = path.partition("/")
        if alias != "meet.replay" and self.capture is None:
            return _reply("Neither conference nor gateway found", 404)
        if "?" in path and "token=" in path:
            self.refused.append(f"token in the URL: {path.partition('?')[0]}")
        captured = self.capture.answer(request.method, path) if self.capture is not None else None
        if path == "request_token":
            return self._let_in(await request.json()) if captured is None else self._as_captured(captured)
        me = self._tokens.get(request.headers.get("token", ""))
        if me is None:
            return _reply("Invalid token", 403)
        if captured is not None and "/calls" not in path and path != "release_token":
            return self._as_captured(captured, me)
        if path in self.answers:
            return _reply(self.answers[path])
        if path == "events":
            return await self._stream(request)
        if path == "refresh_token":
            return _reply({"token": self._token(me), "expires": "120", "role": "HOST"})
        if path == "release_token":
            self.released += 1
            self.participants.pop(me, None)
            self.send("participant_delete", {"uuid": me})
            return _reply(True)
        if path == "theme/":
            return web.Response(status=204)
        if path == "conference_status":
            return _reply({"locked": False, "guests_muted": False, "started": True})
        if path == "participants":
            return _reply(list(self.participants.values()))
        return await self._media(path.split("/"), request)

    def _as_captured(self, said: dict[str, Any], me: str = "") -> web.Response:
        result = said["answer"]["result"] if isinstance(said["answer"], dict) else None
        if said["path"] in ("request_token", "refresh_token") and isinstance(result, dict) and "token" in result:
            me = me or result["participant_uuid"]
            self._tokens[result["token"]] = me
            self.participants.setdefault(me, self._participant("captured", "chair") | {"uuid": me})
        text = json.dumps(said["answer"]) if said["answer"] is not None else ""
        return web.Response(status=said["status"], text=text, content_type=said["type"] or "application/json")

    def _token(self, participant: str) -> str:
        token = uuid.uuid4().hex
        self._tokens[token] = participant
        return token

    def _let_in(self, body: dict[str, Any]) -> web.Response:
        participant = self._participant(body["display_name"], "chair") | {"call_tag": body.get("call_tag", "")}
        self.participants[participant["uuid"]] = participant
        self.send("participant_create", participant)
        captured = json.loads((CAPTURES / "request_token_v36.json").read_text())["result"]
        assert "stun" not in captured
        return _reply(
            captured
            | {
                "token": self._token(participant["uuid"]),
                "participant_uuid": participant["uuid"],
                "display_name": body["display_name"],
                "call_tag": body.get("call_tag", ""),
                "direct_media": False,
            }
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        stage = [{"participant_uuid": u, "stage_index": i, "vad": 0} for i, u in enumerate(self.participants)]
        first: list[tuple[str, object]] = [
            ("participant_sync_begin", None),
            *[("participant_create", participant) for participant in self.participants.values()],
            ("participant_sync_end", None),
            ("conference_update", json.loads((CAPTURES / "conference_update.json").read_text())),
            ("layout", json.loads((CAPTURES / "layout.json").read_text())),
            ("stage", stage),
            *self.told_first,
        ]
        if self.capture is not None:
            first = [(event["event"], event["data"]) for event in self.capture.events]
        with suppress(ConnectionError):
            for name, data in first:
                await response.write(self._event(name, data))
            self._streams.append(queue)
            try:
                while (part := await queue.get()) is not None:
                    await response.write(part)
            finally:
                self._streams.remove(queue)
        return response

    async def _media(self, path: list[str], request: web.Request) -> web.Response:
        text = await request.read()  # again and again the same, inside of breakouts
        body = json.loads(text) if text else {}
        if path[0] == "breakouts":
            if path[1] not in self.breakouts:
                return _reply("Unknown breakout", 404)
            if "calls" not in path:
                self.asked_inside.append("/".join(path[2:]))
                return _reply(True)
            self.participants.setdefault(path[3], self._participant("inside", "chair"))
            return await self._media(path[2:], request)
        if path[0] != "participants" or len(path) < 3:
            return _reply("not replayed", 404)
        if path[2] in ("take_floor", "release_floor"):
            return _reply(None)
        if path[2] != "calls":
            return _reply(True)
        if len(path) == 3:
            call = ReplayCall(self.address, self.start, body.get("present"))
            self.calls[call.uuid] = call
            answer = await call.answer(body["sdp"])
            self.participants[path[1]] |= {"has_media": True, "is_video_call": "YES", "protocol": "webrtc"}
            self.send("participant_update", self.participants[path[1]])
            return _reply({"call_uuid": call.uuid, "sdp": answer})
        if path[3] not in self.calls:
            return _reply("Unknown call", 404)
        return await self._call_function(self.calls[path[3]], path[4], body)

    async def _call_function(self, call: ReplayCall, word: str, body: dict[str, Any]) -> web.Response:
        if word in self.unanswered:
            await asyncio.Event().wait()
        if word == "ack":
            call.acks += 1
            return _reply(True)
        if word == "new_candidate":
            await call.add_candidate(body)
            return _reply(None)
        if word == "update":
            self._updates += 1
            answer = await call.answer(body["sdp"])
            return _reply(answer if self._updates % 2 else {"call_uuid": call.uuid, "sdp": answer})
        if word == "disconnect":
            await call.pc.close()
            return _reply(None)
        return _reply(True if word == "dtmf" else None)


def _reply(result: object, status: int = 200) -> web.Response:
    word = "success" if status == 200 else "failed"
    return web.json_response({"status": word, "result": result}, status=status)


@asynccontextmanager
async def run_replay_node(
    answers: dict[str, object] | None = None, capture: Capture | None = None
) -> AsyncIterator[ReplayNode]:
    """Run a replay node on a loopback port."""
    async with asyncio.TaskGroup() as tasks:
        node = ReplayNode(tasks, answers, capture)
        app = web.Application(client_max_size=1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", node.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, node.address, 0).start()
        node.url = f"http://{node.address}:{runner.addresses[0][1]}"
        try:
            yield node
        finally:
            await node.aclose()
            await runner.cleanup()
