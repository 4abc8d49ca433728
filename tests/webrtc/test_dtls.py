"""The private names of aiortc and pylibsrtp that we use: a release that renames one fails here first."""

from __future__ import annotations

import inspect

import pylibsrtp
from aiortc import rtcdtlstransport
from OpenSSL import SSL

from pexrtc_py.webrtc import dtls as ours
from pexrtc_py.webrtc.dtls import Certificate, DtlsTransport

from .test_ice import make_connection


async def test_names_of_the_dtls_transport_are_there() -> None:
    """Attributes and methods of aiortc's DTLS transport that ours touches."""
    connection = make_connection()
    dtls = DtlsTransport(connection, Certificate.generateCertificate(), lambda *_: None)
    for name in ("_role", "_rx_srtp", "_ssl", "_state", "_task", "_tx_srtp", "encrypted"):
        assert hasattr(dtls, name), name
    for method in ("_set_role", "_set_state", "_validate_peer_identity", "start", "stop"):
        assert callable(getattr(rtcdtlstransport.RTCDtlsTransport, method)), method
    source = inspect.getsource(rtcdtlstransport.RTCDtlsTransport)
    uses = {word.partition("(")[0] for word in source.split() if word.startswith("self.transport.")}
    assert uses <= {"self.transport._recv", "self.transport._send", "self.transport.role"}
    assert (dtls.state, dtls.role, dtls.ciphers, dtls.is_over) == ("new", "auto", {}, False)
    await dtls.aclose()
    await connection.close()


def test_srtp_sessions_have_what_we_call() -> None:
    """Encrypting and decrypting of RTP and RTCP, and the error they raise."""
    for method in ("protect", "protect_rtcp", "unprotect", "unprotect_rtcp"):
        assert callable(getattr(ours.SrtpSession, method))
    assert ours.SrtpSession is pylibsrtp.Session
    assert issubclass(ours.SrtpError, Exception)


def test_our_certificates_take_rsa_peers() -> None:
    """The suites of our context include ECDHE-RSA ones, and those of stock aiortc are as they were."""
    made = Certificate.generateCertificate()
    context = made._create_ssl_context(rtcdtlstransport.SRTP_PROFILES)
    names = SSL.Connection(context).get_cipher_list()
    assert any(name.startswith("ECDHE-RSA-") for name in names)
    stock = rtcdtlstransport.RTCCertificate.generateCertificate()._create_ssl_context(rtcdtlstransport.SRTP_PROFILES)
    assert not any(name.startswith("ECDHE-RSA-") for name in SSL.Connection(stock).get_cipher_list())
    assert made.fingerprint[0] == "sha-256"
