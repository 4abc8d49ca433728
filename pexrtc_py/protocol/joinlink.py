"""What a user has in hand to reach a conference, read into its parts: a join link, an address, an alias.

Forms (docs.pexip.com, "Creating preconfigured links to launch conferences"):

    https://node/webapp/?conference=alias&name=N&pin=P&role=guest   web app until 17; also /webapp/#/?conference=alias
    https://node/webapp/conference/alias?name=N&pin=P&extension=X   web app 2; also below /webapp2
    https://node/webapp/m/alias?pin=P, …/m/alias/step-by-step       web app 3; also below /webapp3, a brand, or nothing
    https://node/m/?conference=alias                                as web app 3 writes it itself
    pexip://alias?host=node&pin=P                                   desktop and mobile apps
    sip:alias@domain, alias@domain                                  an alias; DNS finds the nodes of its domain
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from ..errors import UsageError

__all__ = ["JoinLink", "parse_join_link"]

_ENDINGS = frozenset({"step-by-step", "express", "advanced"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinLink:
    """Where to go, and as whom."""

    alias: str
    """Alias of the conference."""
    node_url: str | None = None
    """`https://host[:port]` of the node; None when DNS has to find it by `domain`."""
    domain: str | None = None
    """The domain whose SRV records name the nodes, when no node is given."""
    pin: str | None = field(default=None, repr=False)
    """PIN in the link."""
    display_name: str | None = None
    """Name in the link."""
    role: str | None = None
    """"guest" when the link asks for that."""
    extension: str | None = None
    """Where to go from a Virtual Reception."""


def parse_join_link(text: str) -> JoinLink:
    """Read a join link, or an alias with its domain.

    Raises:
        UsageError: it is none of the forms above; the message names what is missing, and never a PIN.
    """
    text = text.strip()
    try:
        split = urlsplit(text)
        host, port = split.hostname, split.port
    except ValueError as exc:
        raise UsageError("join link: not a URL") from exc
    scheme = split.scheme.lower()
    query = {key.lower(): values[0] for key, values in parse_qs(split.query).items()}
    if scheme in ("http", "https"):
        if not host:
            raise UsageError("join link: no host in it")
        path, query = _with_fragment(split.path, split.fragment, query)
        alias = query.get("conference") or _alias_in(path)
        if not alias:
            raise UsageError(f"join link: no conference in it ({host})")
        return _link(alias, query, node_url=f"{scheme}://{_bracketed(host)}{f':{port}' if port else ''}")
    if scheme == "pexip":
        alias = unquote(split.netloc + split.path).strip("/")
        if not alias:
            raise UsageError("join link: no conference in it")
        node = query.get("host") or query.get("domain")
        if node:
            return _link(alias, query, node_url=f"https://{node}")
        return _link(alias, query, domain=_domain_of(alias))
    if scheme in ("sip", "sips"):
        text = unquote(split.path.partition(";")[0])
    elif scheme and "@" not in text.partition(":")[0]:
        raise UsageError(f"join link: {scheme}: is not a way to a conference")
    return _link(text, {}, domain=_domain_of(text))


def _link(alias: str, query: dict[str, str], *, node_url: str | None = None, domain: str | None = None) -> JoinLink:
    return JoinLink(
        alias=alias,
        node_url=node_url,
        domain=domain,
        pin=query.get("pin"),
        display_name=query.get("name"),
        role=query.get("role"),
        extension=query.get("extension"),
    )


def _with_fragment(path: str, fragment: str, query: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Old web apps keep path and query behind a `#`."""
    if not fragment.startswith("/"):
        return path, query
    inner_path, _, inner_query = fragment.partition("?")
    inner = {key.lower(): values[0] for key, values in parse_qs(inner_query).items()}
    return path.rstrip("/") + inner_path, query | inner


def _alias_in(path: str) -> str | None:
    parts = [unquote(part) for part in path.split("/") if part]
    while parts and parts[-1] in _ENDINGS:
        parts.pop()
    for word in ("conference", "m"):
        if word in parts[:-1]:
            return parts[parts.index(word) + 1]
    return None


def _domain_of(alias: str) -> str:
    user, at, domain = alias.rpartition("@")
    if not (user and at and domain) or any(c.isspace() or c in "/?#" for c in domain):
        raise UsageError("join link: neither a link nor an alias with a domain (alias@example.com)")
    return domain


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
