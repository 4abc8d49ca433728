"""One encrypted path for all media of a call: ICE, DTLS and SRTP (RFC 8445, RFC 5764, RFC 3711).

aioice finds the path (`ice`) and aiortc shakes hands (`dtls`); after that neither sees a media packet: what arrives is
decrypted in the datagram callback itself and handed on as plain RTP or RTCP (`srtp`), and sending is as direct.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from functools import partial

from ..errors import DtlsFailed, IceFailed, LocalProtocolError, MediaError
from ..protocol.negotiation import TransportParameters
from ..protocol.sdp import Candidate, Fingerprint, Setup
from .candidates import from_ice, to_ice
from .dtls import Certificate, DtlsTransport
from .gathering import gather
from .ice import IceConnection
from .impaired import ImpairedProtocol
from .impairment import Impairment, TwoWayImpairment
from .srtp import SrtpPath
from .transport_config import TransportConfig, TransportHandlers, TransportState
from .transport_statistics import PathStatistics, path_statistics

__all__ = ["MediaTransport", "TransportConfig", "TransportHandlers", "TransportState"]

logger = logging.getLogger(__name__)

_FINAL = (TransportState.FAILED, TransportState.CLOSED)
# A peer has a few addresses, each of several kinds; every one that it names has us send checks there.
_MAX_CANDIDATES = 100
# Who is lite asks nothing when it hears nothing: it hears a mute peer's consent checks, each 4 to 6 s (RFC 7675 section
# 5.1), of which one may be lost.
_LITE_SILENCE_S = 12.5


class MediaTransport:
    """ICE, DTLS and SRTP of one peer.

    Driven by: `gather`, `start`, `add_candidate`, `aclose`; datagrams; timers of ICE, DTLS and consent.

    Attributes:
        timings: `time.monotonic` of `gathered`, `started`, `ice_connected`, `dtls_connected`.
        error: why it failed.
        media: encrypts and decrypts; it has the counts.
    """

    def __init__(
        self, config: TransportConfig, handlers: TransportHandlers, timings: dict[str, float] | None = None
    ) -> None:
        self._config = config
        self._handlers = handlers
        self._state = TransportState.NEW
        self._settled = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._certificate = Certificate.generateCertificate()
        self._connections: list[IceConnection] = []
        self._overflowed_before = 0
        self.media = SrtpPath(handlers.on_rtp, handlers.on_rtcp)
        self._ice = self._newest = self.media.ice = self._make_ice()
        self._prepared: IceConnection | None = None
        self._dtls = DtlsTransport(self._ice, self._certificate, self._follow_dtls)
        self._taken = 0
        self._fingerprints: tuple[Fingerprint, ...] = ()
        self.timings = timings if timings is not None else {}
        self.error: MediaError | None = None

    @property
    def state(self) -> TransportState:
        """Where the transport stands."""
        return self._state

    @property
    def datagrams_overflowed(self) -> int:
        """Datagrams that came and found no room in our sockets, in all of its life."""
        return self._overflowed_before + sum(ice.overflowed for ice in self._connections)

    async def gather(self) -> None:
        """Find local candidates, once. Cancelling leaves a transport that can only be closed.

        Raises:
            IceFailed: no local address can be used, or relay only and no relay answered.
        """
        await self._ice.gather_candidates()
        self.timings.setdefault("gathered", time.monotonic())

    def local_parameters(self, setup: Setup) -> TransportParameters:
        """Our side of the transport, for a description; of the restart that is being prepared, if one is."""
        ice = self._prepared or self._newest
        algorithm, value = self._certificate.fingerprint
        return TransportParameters(
            ufrag=ice.local_username,
            password=ice.local_password,
            fingerprints=(Fingerprint(algorithm=algorithm, value=value),),
            setup=setup,
            candidates=tuple(from_ice(candidate) for candidate in ice.local_candidates),
            end_of_candidates=True,
            ice_lite=self._config.ice_lite,
        )

    def start(self, remote: TransportParameters, *, controlling: bool, client: bool) -> None:
        """Begin to connect, in a task that `aclose` ends.

        Args:
            remote: the peer's side.
            controlling: whether we choose the path; the offerer does, and whoever faces an ICE-lite peer.
            client: whether we open the DTLS handshake.
        """
        if self._state is not TransportState.NEW:
            raise LocalProtocolError(f"a transport that is {self._state} cannot be started")
        self.timings["started"] = time.monotonic()
        self._set_state(TransportState.CONNECTING)
        self._run(self._ice, remote, controlling=controlling, client=client, renew=True)

    async def prepare_restart(self) -> None:
        """Gather anew for an ICE restart (RFC 8445 section 9); the old path carries media until the new one is found.

        When the transport has failed, its DTLS association is gone too, and a new certificate asks for another one.
        Cancelling is safe.

        Raises:
            IceFailed: as `gather`.
        """
        if self._state in (TransportState.NEW, TransportState.CLOSED):
            raise LocalProtocolError(f"a transport that is {self._state} cannot be restarted")
        ice = self._make_ice()
        try:
            await ice.gather_candidates()
        except BaseException:
            await self._drop(ice)
            raise
        before, self._prepared = self._prepared, ice
        if before is not None:
            await self._drop(before)
        if self._dtls.is_over:
            self._certificate = Certificate.generateCertificate()

    async def abandon_restart(self) -> None:
        """Forget what was prepared: there was no agreement on it. The path stays as it is."""
        ice, self._prepared = self._prepared, None
        if ice is not None:
            await self._drop(ice)

    def restart(self, remote: TransportParameters, *, controlling: bool, client: bool) -> None:
        """Look for a path between what was prepared and what the peer says now; see `start`.

        DTLS goes on as it is, unless it had ended, or the peer shows another certificate.
        """
        ice, self._prepared = self._prepared, None
        if ice is None:
            raise LocalProtocolError("a restart was not prepared")
        renew = self._dtls.state != "connected" or remote.fingerprints != self._fingerprints
        self._settled.clear()
        if self._state is TransportState.FAILED:
            self.error = None
            self._set_state(TransportState.CONNECTING)
        self._run(ice, remote, controlling=controlling, client=client, renew=renew)

    async def add_candidate(self, candidate: Candidate | None) -> None:
        """Take a trickled candidate; None says that there are no more. What we cannot use is ignored."""
        if candidate is None or candidate.component != 1 or candidate.transport.lower() != "udp":
            return
        self._taken += 1
        if self._taken > _MAX_CANDIDATES:
            return
        try:
            await self._newest.add_remote_candidate(to_ice(candidate))
        except OSError as exc:  # no multicast here, so no mDNS
            logger.info("x candidate %s: %s", candidate.host, exc)

    async def connected(self) -> None:
        """Wait until media can flow, over the new path after `restart`; the deadline is the caller's.

        Cancelling is safe.

        Raises:
            IceFailed: no path was found, or the transport was closed meanwhile.
            DtlsFailed: the handshake failed.
        """
        await self._settled.wait()
        if self.error is not None:
            raise self.error

    def impair(self, impairment: Impairment | TwoWayImpairment) -> None:
        """Make the network another one, of a transport that was configured with an impairment; one means both ways."""
        for protocol in self._ice.protocols:
            if isinstance(protocol, ImpairedProtocol):
                protocol.change(TwoWayImpairment.of(impairment))

    def statistics(self, now: float, *, available_bps: int | None = None) -> list[PathStatistics]:
        """Describe the transport, the candidates of both sides and the selected pair, which can carry so much."""
        ice, dtls, counts = self._ice, self._dtls, self.media.counts
        return path_statistics(ice, dtls, counts, self.datagrams_overflowed, now, available_bps=available_bps)

    async def aclose(self) -> None:
        """Say goodbye to the peer (close_notify) and release sockets and tasks.

        Idempotent: each call waits for the end. When cancelled it goes on by itself.
        """
        if self._closing is None:
            self.media.close()
            if self.error is None and not self._settled.is_set():
                self.error = IceFailed("the transport was closed before it was connected")
            self._set_state(TransportState.CLOSED)
            self._closing = asyncio.get_running_loop().create_task(self._release(), name="pexrtc transport end")
        await asyncio.shield(self._closing)

    async def _release(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._dtls.aclose()
        for ice in tuple(self._connections):
            await ice.close()

    def _make_ice(self) -> IceConnection:
        ice = IceConnection(
            on_media=self.media.receive,
            on_silence=self._follow_silence,
            gather=lambda connection: gather(connection, self._config),
            relay_only=self._config.relay_only,
            lite=self._config.ice_lite,
            ufrag=secrets.token_hex(4),
            password=secrets.token_hex(16),  # 128 bits (RFC 8445 section 5.3)
        )
        self._connections.append(ice)
        return ice

    async def _drop(self, ice: IceConnection) -> None:
        await ice.close()
        self._connections.remove(ice)
        self._overflowed_before += ice.overflowed

    def _run(
        self, ice: IceConnection, remote: TransportParameters, *, controlling: bool, client: bool, renew: bool
    ) -> None:
        ice.ice_controlling = not ice.lite and (controlling or remote.ice_lite)
        ice.remote_is_lite = remote.ice_lite
        ice.remote_username = remote.ufrag
        ice.remote_password = remote.password
        before = self._newest, self._task
        self._newest = ice
        self._taken = 0
        self._fingerprints = remote.fingerprints
        # Not a TaskGroup: a peer may be made in one task (an HTTP request) and closed in another. The task has an
        # owner all the same: it reports its end as the state, and aclose() waits for it.
        work = partial(self._connect, ice, remote, *before, client=client, renew=renew)
        self._task = asyncio.get_running_loop().create_task(self._guard(work), name="pexrtc transport")

    async def _guard(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """The outermost frame of the task: whatever goes wrong in it fails the transport."""
        try:
            await work()
        except Exception:
            logger.exception("! connecting failed")
            self._fail(IceFailed("connecting failed in a way that was not foreseen; the log has it"))

    async def _connect(
        self,
        ice: IceConnection,
        remote: TransportParameters,
        newest: IceConnection,
        task: asyncio.Task[None] | None,
        *,
        client: bool,
        renew: bool,
    ) -> None:
        if task is not None:  # what a restart finds half done is given up
            task.cancel()
            await asyncio.wait([task])
            if newest is not self._ice:
                await self._drop(newest)
        if ice.lite and remote.ice_lite:
            await ice.close()
            self._fail(IceFailed("both sides are ICE-lite, so nobody would look for a path"))
            return
        if not await self._find_path(ice, remote):
            await ice.close()
            self._fail(IceFailed("no path to the peer was found"))
            return
        self.timings["ice_connected"] = time.monotonic()
        old, self._ice = self._ice, ice
        self.media.ice = ice
        if old is not ice:
            self._dtls.move(ice)
            await self._drop(old)
        if renew:
            await self._shake_hands(remote, client=client)
            return
        if self._config.relaxed:
            self._ice.relax()
        self._settled.set()
        if self._state is TransportState.DISCONNECTED:
            self._set_state(TransportState.CONNECTED)

    async def _shake_hands(self, remote: TransportParameters, *, client: bool) -> None:
        if self._dtls.state != "new":
            old, self._dtls = self._dtls, DtlsTransport(self._ice, self._certificate, self._follow_dtls)
            self.media.renew()
            await old.aclose(notify=False)
        fingerprints = [(item.algorithm, item.value) for item in remote.fingerprints]
        failure = await self._dtls.shake_hands(fingerprints, client=client)
        if failure is not None:
            self._fail(DtlsFailed(f"the DTLS handshake failed: {failure}"))
            return
        self.timings["dtls_connected"] = time.monotonic()
        sending, receiving = self._dtls.sending, self._dtls.receiving
        assert sending is not None
        assert receiving is not None
        early = self.media.open(sending, receiving)
        self._set_state(TransportState.CONNECTED)
        for packet, arrival in early:
            self.media.receive(packet, arrival)
        if self._config.relaxed:
            self._ice.relax()

    async def _find_path(self, ice: IceConnection, remote: TransportParameters) -> bool:
        """Look for a path as long as patience lasts: a peer's own check may still come when all of ours have failed.

        So aioice is never told that the peer has no more candidates (RFC 8863), and the time limit is ours.
        """
        named = [candidate for candidate in remote.candidates if candidate.host.endswith(".local")]
        for candidate in remote.candidates:
            if candidate not in named:
                await self.add_candidate(candidate)
        try:
            async with asyncio.timeout(self._config.patience_s), asyncio.TaskGroup() as group:
                resolving = [group.create_task(self.add_candidate(candidate)) for candidate in named]
                with contextlib.suppress(ConnectionError):
                    await ice.connect()
                for task in resolving:
                    task.cancel()
        except TimeoutError:
            return False
        return ice.selected is not None

    def _follow_silence(self, silence_s: float) -> None:
        patience_s = self._config.silence_s
        if self._config.ice_lite:
            patience_s = max(patience_s, _LITE_SILENCE_S)
        heard = silence_s < patience_s
        if heard and self._state is TransportState.DISCONNECTED:
            self._set_state(TransportState.CONNECTED)
        elif not heard and self._state is TransportState.CONNECTED:
            self._set_state(TransportState.DISCONNECTED)

    def _follow_dtls(self, dtls: DtlsTransport, state: str) -> None:
        if (
            dtls is self._dtls
            and state == "closed"
            and self._state in (TransportState.CONNECTED, TransportState.DISCONNECTED)
        ):
            silent = self._state is TransportState.DISCONNECTED
            self._fail(IceFailed("the peer fell silent" if silent else "the peer ended the transport"))

    def _fail(self, error: MediaError) -> None:
        if self._state not in _FINAL:
            self.error = error
            self.media.stop_sending()
            self._set_state(TransportState.FAILED)

    def _set_state(self, state: TransportState) -> None:
        logger.debug("= %s -> %s", self._state, state)
        self._state = state
        if state is TransportState.CONNECTED or state in _FINAL:
            self._settled.set()
        self._handlers.on_state(state)
