"""What an address is: a place that nobody may have called, one of the own network, or one of the world.

Whatever it is dressed as. The tables follow IANA's registries of special-purpose addresses; they stand here, because
what Python's ipaddress says of an address differs from release to release. Pure: nothing is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Literal, NamedTuple

IP = IPv4Address | IPv6Address
Rule = Literal["metadata", "link-local", "unspecified", "multicast", "reserved", "loopback", "private"]

NEVER: Final[frozenset[Rule]] = frozenset({"metadata", "link-local", "unspecified", "multicast", "reserved"})
"""What no list opens; the others are the own network."""

# The first that holds the address decides.
_SPECIAL: tuple[tuple[Rule, str], ...] = (
    # AWS, Google, Azure and most others; ECS and EKS; Tencent; Alibaba; Oracle; Azure's host; then their IPv6 forms.
    ("metadata", "169.254.169.254 169.254.170.2 169.254.170.23 169.254.0.23 100.100.100.200 192.0.0.192 168.63.129.16"),
    ("metadata", "fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42"),
    ("unspecified", "0.0.0.0/8 ::"),
    ("link-local", "169.254.0.0/16 fe80::/10"),
    ("multicast", "224.0.0.0/4 ff00::/8"),
    ("reserved", "240.0.0.0/4 192.88.99.0/24 2001::/23"),
    ("loopback", "127.0.0.0/8 ::1"),
    ("private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 192.0.0.0/24 198.18.0.0/15"),
    ("private", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24"),
    ("private", "fc00::/7 fec0::/10 64:ff9b:1::/48 5f00::/16 2001:db8::/32 3fff::/20"),
)
_GLOBAL_IPV6: Final = ip_network("2000::/3")

Span = tuple[int, int, int]
"""IP version, first and last address as numbers."""


class Face(NamedTuple):
    """An address, or one inside of it that packets to it may reach; `dress` is what it is written as."""

    ip: IP
    rule: Rule | None
    dress: str = ""


def span(network: str) -> Span:
    """Raises ValueError for what is neither an address nor a network, and for a network with bits of a host."""
    net = ip_network(network)
    return net.version, int(net.network_address), int(net.broadcast_address)


def is_in(ip: IP, spans: Iterable[Span]) -> bool:
    version, number = ip.version, int(ip)
    return any(version == of and first <= number <= last for of, first, last in spans)


_SPANS: Final = tuple((rule, *span(network)) for rule, networks in _SPECIAL for network in networks.split())


def rule_of(ip: IP) -> Rule | None:
    """None: an address of the world. As it stands, without what it may be the dress of."""
    version, number = ip.version, int(ip)
    for rule, of, first, last in _SPANS:
        if version == of and first <= number <= last:
            return rule
    return "reserved" if ip.version == 6 and ip not in _GLOBAL_IPV6 else None


@lru_cache(4096)
def faces(address: str) -> tuple[Face, ...]:
    """Each must be allowed; the one that says most about an address stands first. Raises ValueError for no address."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return (Face(ip, rule_of(ip)),)
    dress, inner, stays = _undressed(int(ip))
    found = [Face(each, rule_of(each), dress) for each in map(IPv4Address, inner)]
    return (*found, Face(ip, rule_of(ip))) if stays else tuple(found)


def _undressed(number: int) -> tuple[str, tuple[int, ...], bool]:
    """(the form, the IPv4 addresses in it, whether it is an address of its own beside them)"""
    low, high = number & 0xFFFFFFFF, number >> 32
    if high == 0xFFFF:
        return "IPv4-mapped", (low,), False
    if high == 0xFFFF0000:
        return "IPv4-translated", (low,), False
    if high == 0x0064FF9B << 64:
        return "NAT64", (low,), False
    if number >> 112 == 0x2002:
        return "6to4", (number >> 80 & 0xFFFFFFFF,), False
    if number >> 96 == 0x20010000:
        return "Teredo", (low ^ 0xFFFFFFFF, number >> 64 & 0xFFFFFFFF), False
    if number >> 80 == 0x0064FF9B0001:
        return "NAT64", _of_local_nat64(number), True
    if high == 0 and number > 1:
        return "IPv4-compatible", (low,), True
    if high & 0xFDFFFFFF == 0x5EFE:
        return "ISATAP", (low,), True
    return "", (), True


def _of_local_nat64(number: int) -> tuple[int, ...]:
    """Who runs 64:ff9b:1::/48 chose how long its prefix is; bits 64 to 71 are nobody's (RFC 6052)."""
    low, packed = number & 0xFFFFFFFF, number >> 64 << 56 | number & 0xFFFFFFFFFFFFFF
    inner = (low, *(packed >> 120 - prefix - 32 & 0xFFFFFFFF for prefix in (48, 56, 64)))
    # Where the first number is 0 it is the zeros around an address of another length.
    return tuple(each for each in inner if each >> 24) or (low,)


_PART = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def written(host: str) -> IP | None:
    """The address that a host is in digits, as the system's resolver reads it; None: a name.

    `2852039166`, `0xa9.254.43518` and `0251.0376.0251.0376` are all 169.254.169.254.
    """
    text = host.strip("[]").partition("%")[0].rstrip(".")
    if ":" in text:
        try:
            return ip_address(text)
        except ValueError:
            return None
    parts = text.split(".")
    if len(parts) > 4 or not all(_PART.fullmatch(part) for part in parts):
        return None
    try:
        *front, last = (_number(part) for part in parts)
    except ValueError:
        return None
    if any(part > 0xFF for part in front) or last >= 1 << 8 * (4 - len(front)):
        return None
    return IPv4Address(last + sum(part << 24 - 8 * at for at, part in enumerate(front)))


def _number(part: str) -> int:
    if part[:2] in ("0x", "0X"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part[0] == "0" else 10)
