"""The DTLS handshake and the SRTP keys that come of it, by aiortc's machinery (RFC 5764).

Here stand the private names of aiortc and of pylibsrtp, and nowhere else; those of aioice stand in `ice`. Nothing is
ever set on their modules or classes: what differs is in subclasses, and only our own instances are touched. Everything
used here exists under the same name in aiortc 1.16; `tests/webrtc/test_dtls.py` touches each, so that a new release
fails there first. What is different from stock:

- `DtlsTransport` reports its states by a callback and shows its SRTP sessions.
- `Certificate` lets a DTLS server have an RSA key (GStreamer, older gateways): stock aiortc offers ECDSA suites only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from OpenSSL import SSL
from pylibsrtp import Error as SrtpError
from pylibsrtp import Session as SrtpSession
from pylibsrtp._binding import lib as libsrtp

from .ice import IceConnection

if TYPE_CHECKING:
    from aiortc import RTCIceTransport

__all__ = ["Certificate", "DtlsTransport", "SrtpError", "SrtpSession", "protect_in_place"]

_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"
)


class Certificate(RTCCertificate):
    """A certificate of one's own (ECDSA P-256) that shakes hands with ECDSA and RSA peers."""

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(_CIPHERS)
        return context

    @property
    def fingerprint(self) -> tuple[str, str]:
        """Algorithm and value for `a=fingerprint`; SHA-256 is what everybody knows (RFC 8122 section 5)."""
        return next((f.algorithm, f.value) for f in self.getFingerprints() if f.algorithm == "sha-256")


def protect_in_place(session: SrtpSession) -> Callable[[Any, Any], int]:
    """Return what encrypts an RTP packet where it lies; see `burst.send_burst`."""
    return partial(libsrtp.srtp_protect, session._srtp[0])


class _IcePath:
    """What a DTLS transport asks of the ICE transport below it, over whichever connection is the current one."""

    def __init__(self, connection: IceConnection) -> None:
        self.connection = connection

    @property
    def role(self) -> str:
        return self.connection.role

    async def _recv(self) -> bytes:
        while True:
            connection = self.connection
            try:
                return await connection.recv()
            except ConnectionError:
                if connection is self.connection:
                    raise

    async def _send(self, data: bytes) -> None:
        await self.connection.send(data)


class DtlsTransport(RTCDtlsTransport):
    """The DTLS handshake and its SRTP keys; media never passes through it.

    Attributes:
        receiving: SRTP session for what arrives, None before the handshake.
        sending: SRTP session for what is sent, likewise.
    """

    def __init__(
        self, connection: IceConnection, certificate: Certificate, on_state: Callable[[DtlsTransport, str], None]
    ) -> None:
        self._path = _IcePath(connection)
        # The path is all of an RTCIceTransport that RTCDtlsTransport uses.
        super().__init__(cast("RTCIceTransport", self._path), [certificate])
        self._on_state = on_state
        self._mismatch = False

    @property
    def receiving(self) -> SrtpSession | None:
        return self._rx_srtp

    @property
    def sending(self) -> SrtpSession | None:
        return self._tx_srtp

    @property
    def is_over(self) -> bool:
        """Whether the association has ended or failed, and another one is needed."""
        return self._state in (State.CLOSED, State.FAILED)

    @property
    def role(self) -> str:
        """`client`, `server`, or `auto` before the handshake."""
        return self._role

    @property
    def ciphers(self) -> dict[str, str]:
        """Names of what was agreed: `tls_version`, `dtls_cipher`, `srtp_cipher`; empty before the handshake."""
        if self._ssl is None or not self.encrypted:
            return {}
        return {
            "tls_version": self._ssl.get_protocol_version_name(),
            "dtls_cipher": self._ssl.get_cipher_name() or "",
            "srtp_cipher": self._ssl.get_selected_srtp_profile().decode(),
        }

    async def shake_hands(self, fingerprints: list[tuple[str, str]], *, client: bool) -> str | None:
        """Run the handshake with a peer that must show a certificate of these fingerprints; return why it failed."""
        self._set_role("client" if client else "server")
        prints = [RTCDtlsFingerprint(algorithm=algorithm, value=value) for algorithm, value in fingerprints]
        try:
            await self.start(RTCDtlsParameters(fingerprints=prints))
        except (SSL.Error, ValueError, SrtpError) as exc:  # a certificate or keys that cannot be read
            self._set_state(State.FAILED)
            return f"{exc}"
        if self._mismatch:
            return "the certificate is not the announced one"
        return None if self._state is State.CONNECTED else "no agreement"

    def move(self, connection: IceConnection) -> None:
        """Go on over another connection, which has found its path, before the old one is closed (ICE restart)."""
        self._path.connection = connection

    async def aclose(self, *, notify: bool = True) -> None:
        """Wait until the task of this transport has ended; the peer is told by close_notify."""
        task = self._task
        if notify:
            await self.stop()
        elif task is not None:
            task.cancel()
        if task is not None:
            await asyncio.wait([task])
        self.remove_all_listeners()

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803 (aiortc's name)
        super()._validate_peer_identity(remoteParameters)
        self._mismatch = self._state is State.FAILED

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        self._on_state(self, self.state)
