"""What a curl command would send: its options, read as curl reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlsplit

from app.core.curl.options import DATA, NOTED, options
from app.core.curl.shell import CurlError, words
from app.core.errors import InvalidJson
from app.core.json_input import parse_json

MAX_COMMAND = 200_000
BodyType = Literal["json", "form", "multipart"]


@dataclass
class CurlCall:
    """`body` is JSON, or the fields of a form. `notes`: what the command says and no registration can."""

    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    body_type: BodyType = "json"
    timeout_s: float | None = None
    notes: list[str] = field(default_factory=list)


def parse_curl(command: str) -> CurlCall:
    """Raises CurlError with one sentence that names the part at fault."""
    if len(command) > MAX_COMMAND:
        raise CurlError(f"The command has more than {MAX_COMMAND} characters.")
    found = words(command)
    start = next((at for at, word in enumerate(found) if word.rsplit("/", 1)[-1] in ("curl", "curl.exe")), None)
    if start is None:
        raise CurlError("This is no curl command: it does not begin with curl.")
    reading = _Reading()
    for name, value in options(found[start + 1 :]):
        reading.take(name, value)
    return reading.call()


class _Reading:
    """The options of one command, gathered."""

    def __init__(self) -> None:
        self._call = CurlCall()
        self._data: list[str] = []
        self._form: list[tuple[str, str]] = []
        self._get = False
        self._json = False

    def take(self, name: str, value: str) -> None:
        if name in DATA:
            self._take_data(name, value)
        elif name in ("form", "form-string"):
            self._form.append(_form_field(value, plain=name == "form-string"))
        elif name == "url":
            if self._call.url:
                raise CurlError(f"The command names two addresses, {self._call.url[:60]} and {value[:60]}.")
            self._call.url = value
        elif name in ("request", "max-time", "get", "insecure") or name in NOTED:
            self._take_other(name, value)
        else:
            self._take_header(name, value)

    def _take_data(self, name: str, value: str) -> None:
        if value.startswith("@") and name != "data-raw":
            raise CurlError(f"The body is in the file {value[1:60]}; write its JSON into the command, after -d.")
        self._json = self._json or name == "json"
        if name == "data-urlencode":
            key, mark, text = value.partition("=")
            value = f"{key}={quote(text, safe='')}" if mark else quote(value, safe="")
        self._data.append(value)

    def _take_other(self, name: str, value: str) -> None:
        if name == "request":
            self._call.method = value.upper()
        elif name == "get":
            self._get = True
        elif name == "insecure":
            self._call.notes.append("-k is left out: certificates of workers are always checked")
        elif name == "max-time":
            self._call.timeout_s = _seconds(value)
        else:
            self._call.notes.append(f"--{name} is left out: how workers are reached is no part of a registration")

    def _take_header(self, name: str, value: str) -> None:
        headers = self._call.headers
        if name == "header":
            key, mark, text = value.partition(":")
            if value.startswith("@"):
                raise CurlError(f"The headers are in the file {value[1:60]}; write them into the command, after -H.")
            if mark and text.strip():
                headers[key.strip()] = text.strip()
        elif name == "user":
            headers["Authorization"] = "Basic " + value
        elif name == "oauth2-bearer":
            headers["Authorization"] = "Bearer " + value
        elif name in ("user-agent", "referer", "cookie"):
            headers[name.title()] = value

    def call(self) -> CurlCall:
        call = self._call
        if not call.url:
            raise CurlError("The command names no address.")
        if "://" not in call.url:
            call.url = "http://" + call.url  # as curl does
        call.url, _, query = call.url.partition("#")[0].partition("?")
        _check_address(call.url)
        pairs = [query, *self._data] if self._get else [query]
        call.params = dict(parse_qsl("&".join(pair for pair in pairs if pair), keep_blank_values=True))
        if not self._get:
            self._read_body()
        call.method = call.method or ("POST" if call.body is not None else "GET")
        if call.method not in ("GET", "POST"):
            raise CurlError(f"Workers are called with POST or GET, not {call.method}.")
        return call

    def _read_body(self) -> None:
        call = self._call
        if self._form:
            call.body, call.body_type = dict(self._form), "multipart"
        elif self._data:
            text = "&".join(self._data)
            kind = next((value for name, value in call.headers.items() if name.lower() == "content-type"), "")
            if self._json or "json" in kind or text.lstrip()[:1] in ("{", "["):
                call.body = _json_body(text)
            else:
                call.body, call.body_type = dict(parse_qsl(text, keep_blank_values=True)), "form"
                if "=" not in text:
                    raise CurlError("The body after -d is neither JSON nor the fields of a form.")


def _check_address(url: str) -> None:
    try:
        urlsplit(url).port  # noqa: B018
    except ValueError:
        raise CurlError(f"The address {url[:100]} cannot be read.") from None


def _json_body(text: str) -> dict[str, Any]:
    try:
        body = parse_json(text.encode("utf-8", "surrogatepass"))
    except InvalidJson as error:
        raise CurlError(f"{error.message.rstrip('.')}: look at what follows -d.") from None
    if not isinstance(body, dict):
        raise CurlError("The body after -d must be a JSON object.")
    return body


def _form_field(text: str, *, plain: bool) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark:
        raise CurlError(f"The form field {text[:60]!r} has no = between name and value.")
    if not plain and value[:1] in ("@", "<"):
        raise CurlError(f"The form field {name} sends the file {value[1:60]}; a registration sends no files.")
    if not plain:
        value = value.partition(";type=")[0]
    return name, value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CurlError(f"--max-time is {text!r}, which is no number of seconds.") from None
