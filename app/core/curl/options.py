"""The options of a curl command: which take a value, which matter, which only concern the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.curl.shell import CurlError

_LETTERS = {
    "X": "request",
    "H": "header",
    "d": "data",
    "F": "form",
    "u": "user",
    "A": "user-agent",
    "b": "cookie",
    "e": "referer",
    "m": "max-time",
    "G": "get",
    "o": "output",
    "w": "write-out",
    "c": "cookie-jar",
    "D": "dump-header",
    "x": "proxy",
    "T": "upload-file",
    "K": "config",
    "E": "cert",
    "k": "insecure",
    "I": "head",
}
DATA = ("data", "data-raw", "data-binary", "data-ascii", "data-urlencode", "json")
_VALUED = frozenset(
    (
        *DATA,
        *("request", "header", "form", "form-string", "user", "user-agent", "cookie", "referer", "max-time", "url"),
    )
) | {"oauth2-bearer"}
_QUIET_VALUED = frozenset(
    (
        *("output", "write-out", "cookie-jar", "dump-header", "connect-timeout", "retry", "retry-delay", "proto"),
        *("retry-max-time", "max-redirs", "limit-rate", "stderr", "trace", "trace-ascii", "keepalive-time"),
    )
)
NOTED = frozenset(("proxy", "cacert", "capath", "resolve", "interface", "noproxy"))
_REFUSED = frozenset(("upload-file", "config", "cert", "key", "next", "head", "netrc-file", "aws-sigv4", "digest"))
_QUIET = frozenset(
    (
        *(
            "silent",
            "show-error",
            "verbose",
            "include",
            "fail",
            "fail-with-body",
            "location",
            "no-buffer",
            "compressed",
        ),
        *("globoff", "progress-bar", "http1.1", "http2", "http1.0", "ipv4", "ipv6", "tcp-nodelay", "no-progress-meter"),
        *("location-trusted", "remote-name", "styled-output", "no-keepalive", "get", "insecure", "basic"),
    )
)
_QUIET_LETTERS = frozenset("sSvifLNg#qJO46j0")


def options(found: list[str]) -> Iterator[tuple[str, str]]:
    """Names of options, long, with their values; an address comes as ("url", …)."""
    rest = iter(found)
    for word in rest:
        if word.startswith("--") and len(word) > 2:
            yield _long(word[2:], rest)
        elif word.startswith("-") and len(word) > 1:
            yield from _letters(word[1:], rest)
        else:
            yield "url", word


def _long(text: str, rest: Iterator[str]) -> tuple[str, str]:
    name, has_value, value = text.partition("=")
    if name in _VALUED | _QUIET_VALUED | NOTED:
        return name, value if has_value else _next(name, rest)
    if name in _QUIET:
        return name, ""
    raise CurlError(f"The option --{name} cannot be part of a registration." if name in _REFUSED else _unknown(text))


def _letters(text: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    for at, letter in enumerate(text):
        name = _LETTERS.get(letter, "")
        if name in _REFUSED:
            raise CurlError(f"The option -{letter} cannot be part of a registration.")
        if name in _VALUED | _QUIET_VALUED | NOTED:
            yield name, text[at + 1 :] or _next(name, rest)
            return
        if not name and letter not in _QUIET_LETTERS:
            raise CurlError(_unknown("-" + letter))
        yield name, ""


def _next(name: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise CurlError(f"The option --{name} has no value; is the command cut off?")
    return value


def _unknown(text: str) -> str:
    option = text if text.startswith("-") else f"--{text}"
    return f"The option {option} is not known here; leave it out if it only concerns the terminal."
