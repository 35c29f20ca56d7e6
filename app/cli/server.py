"""A running Rollcall server, asked over HTTP as any application would ask it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import requests

from app.cli.refusal import Refused
from app.core.framing import sse_frames
from app.settings import Settings

CONNECT_S = 5.0
_KEY_HINT = "Commands send the one in ROLLCALL_API_KEY."


def own_url(settings: Settings) -> str:
    """Where a server with these settings is reached from this machine."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]"}
    host = anywhere.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.port}"


class NoAnswer(Refused):
    """Nobody answers there."""


class Declined(Refused):
    """The server, or what stands in its place, answered with another status than 2xx."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Told:
    """A reply with a good status. `headers` tell who answered: X-Rollcall-Worker, X-Rollcall-Attempts."""

    headers: Mapping[str, str]
    body: Any


class Server:
    """Every method raises Refused with the server's own sentence, or with what to do when no server answers."""

    def __init__(self, url: str, timeout_s: float = 600.0, option: str = "--url", key: str = "") -> None:
        """`option`: the command's word for `url`. `key`: an API key that the server is shown."""
        self.url = url.rstrip("/")
        self._option = option
        self._timeout = (CONNECT_S, timeout_s)
        self._session = requests.Session()
        self._session.trust_env = False
        self._key = key

    def show_key(self, key: str) -> None:
        """From now on, with every request."""
        self._key = key

    def call(self, method: str, path: str, body: Any = None) -> Told:
        response = self._send(method, path, body, stream=False)
        return Told(response.headers, _json(response))

    def rows(self, path: str, **query: str | None) -> list[dict[str, Any]]:
        """Of a management route that answers a list."""
        named = {name: value for name, value in query.items() if value is not None}
        body = self.call("GET", f"{path}?{urlencode(named)}").body
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise Refused(f"{self.url} answers, but it is no Rollcall server.")
        return rows

    def stream_chat(self, model: str, prompt: str) -> tuple[Mapping[str, str], Iterator[str]]:
        """The headers, and the pieces of the answer as they arrive."""
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": prompt}]}
        response = self._send("POST", "/v1/chat/completions", body, stream=True)
        return response.headers, self._pieces(response)

    def _send(self, method: str, path: str, body: Any, *, stream: bool) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        way: dict[str, Any] = {"headers": headers, "timeout": self._timeout, "stream": stream}
        try:
            response = self._session.request(method, self.url + path, json=body, allow_redirects=False, **way)
        except requests.Timeout as error:
            raise NoAnswer(f"The server at {self.url} gave no answer within {self._timeout[1]:g} s.") from error
        except requests.ConnectionError as error:
            raise NoAnswer(
                f"No Rollcall server answers at {self.url}; start one with `make run`, "
                f"or name its address with {self._option}."
            ) from error
        except (requests.RequestException, ValueError) as error:
            raise Refused(f"{self.url} is no address of a server; use one like http://127.0.0.1:8007.") from error
        if response.status_code >= 300:
            hint = f" {_KEY_HINT}" if response.status_code == 401 else ""
            raise Declined(_sentence(_json(response), response) + hint, response.status_code)
        return response

    def _pieces(self, response: requests.Response) -> Iterator[str]:
        try:
            # chunk_size None hands on each piece as it arrives; a number would wait until so many bytes are there
            for frame in sse_frames(response.iter_content(chunk_size=None)):
                if frame.data == "[DONE]":
                    return
                yield from _texts(json.loads(frame.data), response)
        except (requests.RequestException, ValueError) as error:
            raise Refused("The answer broke off in the middle; what came before it is not the whole.") from error
        raise Refused("The answer broke off in the middle; what came before it is not the whole.")


def _texts(chunk: Any, response: requests.Response) -> Iterator[str]:
    if "error" in chunk:
        raise Refused(_sentence(chunk, response))
    for choice in chunk.get("choices") or ():
        if text := (choice.get("delta") or {}).get("content"):
            yield text


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _sentence(body: Any, response: requests.Response) -> str:
    """The server's own message, in either of its two error shapes."""
    if isinstance(body, dict):
        error = body.get("error")
        for message in (error.get("message") if isinstance(error, dict) else None, body.get("msg")):
            if isinstance(message, str) and message:
                return message
    return f"{response.url} answered {response.status_code} and no JSON: it is no Rollcall server."
