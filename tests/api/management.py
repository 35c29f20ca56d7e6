"""The whole application over a test database, asked through its routes. No thread is started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from app.services.rollcall import Rollcall

WORKERS = "/api/server/workers"
REGISTER = "/api/server/register"
OFFLINE = "/api/server/offline"
ROUTE = "/api/server/route"
URL = "http://127.0.0.1:9/generate"


class Api:
    """JSON in, JSON out."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._client = app.test_client()

    @property
    def rollcall(self) -> Rollcall:
        whole: Rollcall = self.app.extensions["rollcall"]
        return whole

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        return self._client.open(path, method=method, base_url="http://127.0.0.1:8007", **options)

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.send("GET", path, query_string=query)

    def post(self, path: str, body: Any) -> TestResponse:
        return self.send("POST", path, json=body)

    def put(self, path: str, body: Any) -> TestResponse:
        return self.send("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> TestResponse:
        return self.send("PATCH", path, json=body)

    def delete(self, path: str) -> TestResponse:
        return self.send("DELETE", path)

    def register(self, **words: Any) -> int:
        """A worker's id."""
        answer = self.post(REGISTER, registration(**words))
        assert answer.status_code == 200, answer.json
        return int(answer.json["id"])

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(WORKERS, **query)
        assert answer.status_code == 200, answer.json
        rows: list[dict[str, Any]] = answer.json["data"]
        return rows


def registration(**words: Any) -> dict[str, Any]:
    return {"model_name": "m", "req_url_template": URL, "body": {"input": "{USER_PROMPT}"}, **words}


@contextmanager
def management(database_url: str, folder: Path, **settings: Any) -> Iterator[Api]:
    app = create_app({"DATABASE_URL": database_url, "ROLLCALL_VAR": str(folder), **settings})
    yield Api(app)
    with app.app_context():
        db.engine.dispose()


def refused(answer: TestResponse, status: int, field: str | None = None) -> str:
    """The sentence of an error in the management shape."""
    assert answer.status_code == status, answer.json
    body = answer.json
    assert body["success"] is False
    assert body["error"]["request_id"] == answer.headers["X-Request-Id"]
    if field is not None:
        assert body["error"]["field"] == field, body
    message: str = body["msg"]
    return message
