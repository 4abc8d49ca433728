"""What to do about a step of getting in that failed: the words an administrator can act on, by step and by error."""

from __future__ import annotations

import ssl
from typing import Final

from ..errors import (
    ConferenceNotFound,
    ExtensionRequired,
    Forbidden,
    IdentityProviderRequired,
    NodeError,
    PinInvalid,
    PinRequired,
    SessionClosed,
    Throttled,
    TransportError,
)

__all__ = ["CURES", "cure_of"]

CURES: Final = {
    "DNS": "check the host name, and that this machine's resolver knows the zone of the node",
    "TCP": "check that the node is up, and that firewalls let TCP through to its HTTPS port",
    "TLS": "renew the certificate, or install the intermediate one on the node (Platform > TLS certificates)",
    "node": "look whether the node is in maintenance mode (Platform > Conferencing nodes), and is one at all",
    "join": "check alias, PIN and role; /status of the node tells whether it is in maintenance",
    "call": "check the node's call and participant licences, and its support log of this moment",
    "ICE": "let UDP through between us and the node's media ports (40000-49999 by default), or give a TURN server",
    "DTLS": "UDP passes, the handshake does not: look for a firewall that inspects or drops DTLS, or a small path MTU",
    "media": "connected, and not all comes: do others in the conference send (--alone says that nobody does), "
    "and is RTP let through to us",
}
"""By step, where the error says no more."""

_JOIN: Final = (
    (PinRequired, "give the PIN: --pin-file FILE, or PEXRTC_PIN in the environment"),
    (PinInvalid, "the PIN is wrong: check it against the conference's Host and guest PIN"),
    (ExtensionRequired, "this is a Virtual Reception: say where to go with --extension"),
    (IdentityProviderRequired, "the conference wants single sign-on, which no probe can do: give it an alias without"),
    (ConferenceNotFound, "no such alias: check its spelling and domain, and the aliases of the service on the node"),
    (Forbidden, "the conference is locked, full, or not for this role: unlock it, or come with the Host PIN"),
    (Throttled, "the node asks for fewer requests: probe less often"),
    (NodeError, "the node is in maintenance or ill: look at its status, and let clients go to another one"),
    (TransportError, "the node stopped answering: look at its load and at proxies in between"),
)
# OpenSSL x509_vfy.h: X509_V_ERR_...
_TLS: Final = {
    9: "the certificate is not valid yet: check the clocks of the node and of this machine",
    10: "the certificate has expired: renew it on the node (Platform > TLS certificates)",
    18: "the node has a self-signed certificate: install one of an authority, or trust it with --ca-file",
    19: "the authority is not trusted by this machine: trust it with --ca-file, or use a public one",
    20: "the intermediate certificate is missing on the node, or its authority is not trusted here (--ca-file)",
    21: "the intermediate certificate is missing on the node: install it (Platform > TLS certificates)",
    62: "the certificate is for another name: use the node's FQDN, or put this name among its alternative names",
}
_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
"""How OpenSSL calls what is no record of TLS at all, such as an answer in HTTP."""
_RELAY: Final = "check the TURN server: its address and port, its user and password, and UDP from it to the node"


def cure_of(step: str, error: Exception | None, *, relayed: bool = False) -> str:
    """Return what to do about a step that failed.

    Args:
        step: a name of `CURES`.
        error: why, when it is known.
        relayed: whether media was to go over a TURN server only.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _TLS.get(error.verify_code, CURES["TLS"])
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return "this port does not speak TLS: is it an http:// address, or the port of something else"
    if isinstance(error, SessionClosed):
        return "it had been let in, and was removed: look who removes participants, and by what rule"
    if step == "join":
        return next((cure for kind, cure in _JOIN if isinstance(error, kind)), CURES["join"])
    return _RELAY if step == "ICE" and relayed else CURES[step]
