"""One IPv4 address in all the clothes that it may come in."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

Dress = Callable[[IPv4Address], str]


def _six(number: int) -> str:
    return f"[{IPv6Address(number)}]"


# As IPv6. Packets to these reach the address where a host or its network translates.
DRESSES: dict[str, Dress] = {
    "IPv4-mapped": lambda ip: _six(0xFFFF << 32 | int(ip)),
    "IPv4-translated": lambda ip: _six(0xFFFF << 48 | int(ip)),
    "NAT64": lambda ip: _six(0x64FF9B << 96 | int(ip)),
    "6to4": lambda ip: _six(0x2002 << 112 | int(ip) << 80 | 1),
}
# What is refused whatever is in it need not be told from what is in it.
MORE_DRESSES: dict[str, Dress] = {
    **DRESSES,
    "IPv4-compatible": lambda ip: _six(int(ip)),
    "Teredo": lambda ip: _six(0x20010000 << 96 | 0x4136E378 << 64 | int(ip) ^ 0xFFFFFFFF),
    "Teredo's server": lambda ip: _six(0x20010000 << 96 | int(ip) << 64 | 0x3F57FEFE),
    "NAT64 of a site, /96": lambda ip: _six(0x64FF9B0001 << 80 | int(ip)),
    "NAT64 of a site, /48": lambda ip: _six(0x64FF9B0001 << 80 | (int(ip) >> 16) << 64 | (int(ip) & 0xFFFF) << 40),
    "NAT64 of a site, /64": lambda ip: _six(0x64FF9B0001 << 80 | 5 << 64 | int(ip) << 24),
    "ISATAP": lambda ip: _six(0x2A00145040010801 << 64 | 0x5EFE << 32 | int(ip)),
    "ISATAP, told to be unique": lambda ip: _six(0x2A00145040010801 << 64 | 0x02005EFE << 32 | int(ip)),
}


def _bytes(ip: IPv4Address) -> list[int]:
    return list(ip.packed)


# As a host of digits, which the system's resolver reads as well as the usual form.
NOTATIONS: dict[str, Dress] = {
    "dotted": str,
    "decimal": lambda ip: str(int(ip)),
    "hex": lambda ip: f"0x{int(ip):x}",
    "HEX": lambda ip: f"0X{int(ip):08X}",
    "octal": lambda ip: f"0{int(ip):o}",
    "dotted octal": lambda ip: ".".join(f"0{byte:o}" for byte in _bytes(ip)),
    "padded octal": lambda ip: ".".join(f"{byte:05o}" for byte in _bytes(ip)),
    "dotted hex": lambda ip: ".".join(f"0x{byte:x}" for byte in _bytes(ip)),
    "two parts": lambda ip: f"{_bytes(ip)[0]}.{int(ip) & 0xFFFFFF}",
    "three parts, mixed": lambda ip: f"{_bytes(ip)[0]}.0x{_bytes(ip)[1]:x}.0{int(ip) & 0xFFFF:o}",
    "a dot at the end": lambda ip: f"{ip}.",
}
