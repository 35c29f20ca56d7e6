"""Is a request what a registration says it should be? Read from the registration's own words, with no code of app/."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_plus, urlsplit

from tests.fakes import Request
from tests.player.systems import with_secrets

JSON = "application/json"
_PLACEHOLDER = re.compile(r"\{[A-Z][A-Z0-9_]*(?::[^{}]*)?\}")


@dataclass(frozen=True)
class Call:
    """One request that a service knows. `names` are values of placeholders; what is not among them may be anything."""

    method: str
    url: str
    header: Mapping[str, str]
    params: Mapping[str, str]
    body: Any
    names: Mapping[str, Any]
    kind: str = JSON

    def misfit(self, request: Request) -> str | None:
        """What is wrong with the request; None: nothing."""
        if request.method != self.method:
            return f"the method is {request.method}, not {self.method}"
        return self._place(request) or self._headers(request) or self._content(request)

    def is_at(self, request: Request) -> bool:
        return request.method == self.method and self._place(request) is None

    def _place(self, request: Request) -> str | None:
        wanted, params = urlsplit(self.url), dict(self.params)
        params |= {name: values[0] for name, values in parse_qs(wanted.query, keep_blank_values=True).items()}
        if not self._is(unquote(wanted.path) or "/", unquote(request.path) or "/"):
            return f"the path is {request.path}, not {wanted.path}"
        given = {name: values[0] for name, values in request.query.items()}
        wrong = [name for name, value in params.items() if not self._is(value, given.get(name, ""))]
        wrong += [name for name in given if name not in params]
        return f"the query is {given}, not {params}: {wrong}" if wrong else None

    def _headers(self, request: Request) -> str | None:
        for name, value in self.header.items():
            given = request.headers.get(name.lower())
            if given is None or not self._is(value, given):
                return f"the header {name} is {given!r}"
        return None

    def _content(self, request: Request) -> str | None:
        if self.body is None:
            return "there is a body" if request.body else None
        kind = request.headers.get("content-type", "").partition(";")[0]
        if kind != self.kind:
            return f"the content type is {kind}, not {self.kind}"
        return self._differs(self.body, fields_of(request), "body")

    def _differs(self, wanted: Any, given: Any, where: str) -> str | None:
        """Where and how `given` is not what the template can give."""
        if isinstance(wanted, dict) and isinstance(given, dict):
            for name, value in wanted.items():
                if name in given:
                    if wrong := self._differs(value, given[name], f"{where}.{name}"):
                        return wrong
                elif not _PLACEHOLDER.search(json.dumps(value)):
                    return f"{where}.{name} is missing"
            return None
        if isinstance(wanted, list) and isinstance(given, list) and len(wanted) == len(given):
            pairs = enumerate(zip(wanted, given, strict=True))
            return next((wrong for at, pair in pairs if (wrong := self._differs(*pair, f"{where}[{at}]"))), None)
        if isinstance(wanted, str) and self._gives(wanted, given):
            return None
        same = wanted == given or (self.kind != JSON and _text(wanted) == given)
        return None if same else f"{where} is {given!r}, not {wanted!r}"

    def _gives(self, template: str, given: Any) -> bool:
        whole = _PLACEHOLDER.fullmatch(template)
        if whole is None:
            return isinstance(given, str) and self._is(template, given)
        name = template[1:-1].partition(":")[0]
        return bool(name not in self.names or given == self.names[name])

    def _is(self, template: str, given: str) -> bool:
        text = with_secrets(template)
        pattern, end = "", 0
        for found in _PLACEHOLDER.finditer(text):
            name = found[0][1:-1].partition(":")[0]
            free = name not in self.names
            pattern += re.escape(text[end : found.start()]) + (".*" if free else re.escape(_text(self.names[name])))
            end = found.end()
        return re.fullmatch(pattern + re.escape(text[end:]), given, re.DOTALL) is not None


def laid_over(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{name: laid_over(under.get(name), value) for name, value in over.items()}}
    return over


def carries(request: Request, text: str) -> bool:
    """Has the caller's text arrived in this request, whole and once more what it was?"""
    return text in unquote_plus(request.target) or (request.body != b"" and _within(fields_of(request), text))


def fields_of(request: Request) -> Any:
    """The body: as JSON, or the fields of a form as texts."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        parts = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
        named = ((part.get_param("name", header="content-disposition"), part) for part in parts.iter_parts())
        return {str(name): part.get_payload(decode=True).decode() for name, part in named}
    if kind.startswith("application/x-www-form-urlencoded"):
        return {name: values[0] for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()}
    return request.json


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _within(value: Any, text: str) -> bool:
    if isinstance(value, dict):
        return any(_within(each, text) for each in value.values())
    if isinstance(value, list):
        return any(_within(each, text) for each in value)
    return isinstance(value, str) and text in value
