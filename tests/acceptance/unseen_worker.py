"""The worker of all unseen registrations: it says what each case's script says, and notes what it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from tests.acceptance.unseen_cases import Call, Case, Said
from tests.fakeexchange import Exchange, Request

PIECE = 7
"""Bytes of a body that are sent at a time, so that streams are cut in many places."""


class Scripts:
    """A behaviour for a FakeUpstream. Each case is at a path of its own, `http://…/CASE`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cases: dict[str, Case] = {}
        self._next: dict[str, list[Call]] = {}
        self.got: dict[str, list[Request]] = {}
        self.probed: dict[str, list[Request]] = {}

    def play(self, case: Case, calls: tuple[Call, ...]) -> None:
        with self._lock:
            self._cases[case.name] = case
            self._next[case.name] = list(calls)
            self.got[case.name] = []
            self.probed.setdefault(case.name, [])

    def __call__(self, exchange: Exchange) -> None:
        name, target = _apart(exchange.request.target)
        said = self._said(name, exchange.request, f"{exchange.request.method} {target}")
        origin = f"http://{exchange.request.headers['host']}/{name}"
        body = said.body.replace(b"http://W", origin.encode())
        headers = {key: value.replace("http://W", origin) for key, value in said.headers.items()}
        if said.cut or said.content_type != "application/json":
            exchange.head(said.status, headers, "chunked", content_type=said.content_type)
            for piece in _pieces(body):
                exchange.piece(piece)
            exchange.cut("close") if said.cut else exchange.finish()
        else:
            exchange.head(said.status, headers, length=len(body), content_type=said.content_type)
            exchange.send(body)

    def _said(self, name: str, request: Request, line: str) -> Said:
        with self._lock:
            case = self._cases.get(name)
            if case is None or line in case.probes:
                if case is not None:
                    self.probed[name].append(request)
                return case.probes[line] if case is not None else Said(b"")
            self.got[name].append(request)
            return self._next[name].pop(0).said if self._next[name] else Said(b'"no such call"', 500)


def _apart(target: str) -> tuple[str, str]:
    """The case and the target as the case names it."""
    name, slash, rest = target[1:].partition("/")
    return (name, slash + rest) if slash else (target[1:].partition("?")[0], "/")


def line_of(request: Request) -> str:
    return f"{request.method} {_apart(request.target)[1]}"


def body_of(request: Request) -> Any:
    """JSON, or the pairs of a form; None: no body."""
    kind = request.headers.get("content-type", "")
    if not request.body:
        return None
    if kind.startswith("multipart/form-data"):
        return [list(part) for part in _parts(kind, request.body)]
    if kind.startswith("application/x-www-form-urlencoded"):
        return [list(pair) for pair in parse_qsl(request.body.decode(), keep_blank_values=True)]
    return json.loads(request.body)


def _parts(kind: str, body: bytes) -> Iterator[tuple[str, str]]:
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    for part in message.iter_parts():  # type: ignore[attr-defined]
        yield part.get_param("name", header="content-disposition"), part.get_payload(decode=True).decode()


def _pieces(body: bytes) -> Iterator[bytes]:
    yield from (body[i : i + PIECE] for i in range(0, len(body), PIECE))


def at_worker(node: Any, base: str) -> Any:
    """The registration with the case's own address in it."""
    if isinstance(node, str):
        return node.replace("http://W", base)
    if isinstance(node, Mapping):
        return {key: at_worker(item, base) for key, item in node.items()}
    return [at_worker(item, base) for item in node] if isinstance(node, list | tuple) else node


def sorted_query(line: str) -> str:
    """A registration is stored with its keys in order, so that of parameters says nothing."""
    target, mark, query = line.partition("?")
    return target + mark + "&".join(sorted(query.split("&")))
