"""Images and videos asked for through Rollcall, to their bytes."""

from __future__ import annotations

import base64
from typing import Any

import requests

from tests.serving import PATIENCE_S, Answer, Server, wait_for


def draw(server: Server, model: str, prompt: str, **fields: Any) -> Answer:
    body = {"model": model, "prompt": prompt, "size": "64x32", **fields}
    return server.ask("POST", "/v1/images/generations", body)


def images(server: Server, model: str, prompt: str, **fields: Any) -> list[bytes]:
    answer = draw(server, model, prompt, **fields)
    assert answer.status == 200, answer
    entries = answer.body["data"]
    wanted = fields["response_format"]
    assert all(wanted in entry for entry in entries), entries
    return [fetched(each["url"]) if wanted == "url" else base64.b64decode(each[wanted]) for each in entries]


def fetched(url: str) -> bytes:
    reply = requests.get(url, timeout=PATIENCE_S)
    assert reply.status_code == 200, (url, reply.text)
    return reply.content


def film(server: Server, model: str, prompt: str) -> Answer:
    return server.ask("POST", "/v1/videos", {"model": model, "prompt": prompt, "seconds": "4", "size": "64x32"})


def video(server: Server, model: str, prompt: str) -> dict[str, Any]:
    """Once it is over."""
    answer = film(server, model, prompt)
    assert answer.status == 200, answer
    assert answer.body["status"] in ("queued", "in_progress")
    return ended(server, answer.body)


def ended(server: Server, begun: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        answer = server.ask("GET", f"/v1/videos/{begun['id']}")
        assert answer.status == 200, answer
        return answer.body if answer.body["status"] in ("completed", "failed") else None

    return wait_for(f"the end of {begun}", look)


def content(server: Server, shown: dict[str, Any]) -> bytes | None:
    """None where it has none."""
    answer = server.ask("GET", f"/v1/videos/{shown['id']}/content")
    if answer.status != 200:
        assert answer.body["error"]["message"]
        return None
    body: bytes = answer.body
    return body
