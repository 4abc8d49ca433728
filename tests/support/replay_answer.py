"""The shape of a real node's answers, put upon those of aiortc. It imports nothing of pexrtc_py."""

from __future__ import annotations

import re
import time


def reshape(answer: str, offer: str, address: str) -> str:
    """Give aiortc's answer the shape of a real node's."""
    offered = [part.splitlines() for part in re.split(r"(?=^m=)", offer, flags=re.M)[1:]]
    head, *parts = re.split(r"(?=^m=)", answer, flags=re.M)
    origin = f"o=- {int(time.time())} {int(time.time()) + 1} IN IP4 127.0.0.1"
    group = [line for line in head.splitlines() if line.startswith("a=group")]
    lines = ["v=0", origin, "s=-", f"c=IN IP4 {address}", "b=AS:7528", "t=0 0", *group]
    found = re.search(r"^a=candidate:\S+ 1 udp \d+ \S+ (\d+) typ host", answer, flags=re.M)
    port = found.group(1) if found else "9"
    for index, (part, theirs) in enumerate(zip(parts, offered, strict=True)):
        lines += _section(part.splitlines(), theirs, port, address, first=index == 0)
    return "\r\n".join([*lines, ""])


_DROPPED = ("c=", "a=rtcp:", "a=rtcp-fb:", "a=extmap", "a=candidate", "a=end-of", "a=ice-options", "a=setup", "a=msid:",
            "a=fingerprint:sha-384", "a=fingerprint:sha-512", "a=mid", "m=", "a=sendrecv", "a=sendonly", "a=recvonly",
            "a=inactive", "a=rtcp-rsize")  # fmt: skip


def _section(ours: list[str], theirs: list[str], port: str, address: str, *, first: bool) -> list[str]:
    kind, our_port, *rest = ours[0].split(" ")
    if our_port == "0":
        return [
            f"{kind} 0 {' '.join(rest)}",
            "c=IN IP4 0.0.0.0",
            "a=inactive",
            *[x for x in ours if x.startswith("a=mid")],
        ]
    digits = [x.split(":")[1].split(" ")[0] for x in theirs if x.startswith("a=rtpmap:") and "telephone-event" in x]
    lines = [f"{kind} {port} {' '.join([*rest, *[pt for pt in digits if pt not in rest]])}", f"c=IN IP4 {address}"]
    if kind == "m=video":
        lines.append("b=TIAS:3732480")
    lines += [x for x in ours if not x.startswith(_DROPPED) and not x.startswith("a=ice")]
    if kind == "m=video":
        lines += ["a=rtcp-fb:* nack pli", "a=rtcp-fb:* nack", "a=rtcp-fb:* goog-remb"]
    for pt in digits:
        lines += [x for x in theirs if x.startswith(f"a=rtpmap:{pt} ")] + [f"a=fmtp:{pt} 0-15"]
    lines.append("a=rtcp-fb:* transport-cc")
    lines += [x for x in ours if x in ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")]
    content = next((x for x in theirs if x.startswith("a=content:")), None)
    if content is not None and kind == "m=video":
        lines += [content, "a=label:12" if content.endswith("slides") else "a=label:11"]
    lines += [x for x in ours if x.startswith("a=mid")]
    lines += ["a=setup:active", "a=connection:new"]
    lines += [x for x in theirs if x.startswith("a=extmap:") and "transport-wide-cc" in x]
    if first:
        lines += [
            f"a=candidate:1 1 udp 2042888703 {address} {port} typ host",
            f"a=candidate:2 1 tcp 855900927 {address} {port} typ host tcptype passive",
            f"a=candidate:3 1 tcp 864289791 {address} {port} typ host tcptype active",
        ]
    return lines + [x for x in ours if x.startswith(("a=ice-ufrag", "a=ice-pwd"))]


def aiortc_can_read(offer: str) -> str:
    """Leave out lines about payload types without rtpmap: aiortc's parser dies of them."""
    kept: list[str] = []
    for part in re.split(r"(?=^m=)", offer, flags=re.M):
        known = set(re.findall(r"^a=rtpmap:(\d+) ", part, flags=re.M)) | {"*"}
        kept += [
            line
            for line in part.splitlines()
            if not (found := re.match(r"a=(?:fmtp|rtcp-fb):(\d+|\*) ", line)) or found.group(1) in known - {"*"}
        ]
    return "\r\n".join([*kept, ""])
