"""A registration moved to another host: one URL is given, and the others of the same host go along."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_URL = re.compile(r"(?P<origin>[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL)
_URL_WORDS = ("req_url_template", "result_template")
_BLOCKS = ("stream", "job", "auth", "health")


def moved_registration(words: Mapping[str, Any], given: str) -> dict[str, Any]:
    """`given` may be a host (http://gpu-7:8000), a base (https://gateway/team/v1), or the whole URL of the calls.

    A host keeps the paths. A base that ends where the registration's path begins is joined with it. Of a whole URL,
    what stands before the part that it shares with the registration's moves the other URLs too.
    """
    main, moves = _moves(words.get("req_url_template") or "", given)
    return {**_moved_block(words, moves), "req_url_template": main}


def _moves(old: str, given: str) -> tuple[str, list[tuple[str, str]]]:
    """The new main URL, and which beginnings of the other URLs become which, the longest first."""
    was, now = _URL.match(old), _URL.match(given)
    if was is None or now is None:
        return given, []
    origins = (was["origin"], now["origin"])
    if now["path"] in ("", "/") and not now["rest"]:
        return now["origin"] + was["path"] + was["rest"], [origins]
    before, after = _segments(was["path"]), _segments(now["path"])
    if shared := _shared_end(before, after):
        roots = (_joined(was["origin"], before[:-shared]), _joined(now["origin"], after[:-shared]))
        return given, [roots, origins]
    if not now["rest"] and (overlap := _overlap(after, before)):
        root = _joined(now["origin"], after)
        return _joined(root, before[overlap:]) + was["rest"], [
            (_joined(was["origin"], before[:overlap]), root),
            origins,
        ]
    return given, [origins]


def _moved_block(words: Mapping[str, Any], moves: list[tuple[str, str]]) -> dict[str, Any]:
    moved = dict(words)
    for word in _URL_WORDS:
        if isinstance(words.get(word), str):
            moved[word] = _moved_url(words[word], moves)
    for block in _BLOCKS:
        if isinstance(words.get(block), Mapping):
            moved[block] = _moved_block(words[block], moves)
    return moved


def _moved_url(url: str, moves: list[tuple[str, str]]) -> str:
    for old, new in moves:
        if url == old or url.startswith((old + "/", old + "?")):
            return new + url[len(old) :]
    return url


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _joined(root: str, segments: list[str]) -> str:
    return "/".join([root, *segments])


def _shared_end(one: list[str], other: list[str]) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


def _overlap(head: list[str], tail: list[str]) -> int:
    """How many segments at the end of `head` are those at the beginning of `tail`."""
    return next((size for size in range(min(len(head), len(tail)), 0, -1) if head[-size:] == tail[:size]), 0)
