"""What every request must pass: Host, media type, size, JSON that can be stored; and the request id."""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, jsonify

from app.api import models
from app.api.edge import read_json, register_edge
from app.api.errors import register_error_handlers
from app.settings import Settings
from app.upstream.watchdog import Watchdog
from tests.api.callers import CHAT, ScriptedFleet, callers_app, served

ECHO = "/api/server/echo"
SMALL = Settings(max_body_bytes=1000)


def echo_app(settings: Settings | None = None) -> Flask:
    app = callers_app(settings=settings)

    @app.route(ECHO, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def echo() -> Any:
        return jsonify(read_json())

    @app.get("/healthz")
    @app.get("/readyz")
    def health() -> str:
        return "ok"

    @app.delete("/api/server/one")
    def delete() -> str:
        return "gone"

    return app


@pytest.fixture
def client() -> Any:
    return echo_app().test_client()


@pytest.mark.parametrize("sent", ["a", "A-b_c.9", "x" * 128])
def test_a_request_id_that_is_one_is_kept(client: Any, sent: str) -> None:
    for path in (ECHO, "/nowhere"):
        assert client.post(path, json={}, headers={"X-Request-Id": sent}).headers["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", [None, "", "a b", "x" * 129, "é", "a/b", "<script>"])
def test_any_other_request_id_is_replaced(client: Any, sent: str | None) -> None:
    headers = {} if sent is None else {"X-Request-Id": sent}
    ids = {client.post(ECHO, json={}, headers=headers).headers["X-Request-Id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(len(one) == 32 for one in ids)


ALLOWED = ["localhost", "LOCALHOST:8007", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8007"]


@pytest.mark.parametrize("host", ALLOWED)
def test_hosts_of_this_machine(client: Any, host: str) -> None:
    assert client.post(ECHO, json={}, headers={"Host": host}).status_code == 200


REFUSED = [
    "evil.example",
    "evil.example:8007",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost:x",
    "",
    ":80",
]


@pytest.mark.parametrize("host", REFUSED)
@pytest.mark.parametrize("path", [ECHO, "/v1/models", "/nowhere"])
def test_other_hosts_are_refused(client: Any, host: str, path: str) -> None:
    answer = client.post(path, json={}, headers={"Host": host})
    assert answer.status_code == 403
    assert "ROLLCALL_ALLOWED_HOSTS" in answer.text
    assert "host_not_allowed" in answer.text


def test_probes_of_the_platform_come_by_any_host(client: Any) -> None:
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"Host": "10.0.0.7:8007"}).status_code == 200


@pytest.mark.parametrize("hosts", [("*",), ("router.example",), ("Router.Example", "::1")])
def test_hosts_of_the_settings(hosts: tuple[str, ...]) -> None:
    client = echo_app(Settings(allowed_hosts=hosts)).test_client()
    assert client.post(ECHO, json={}, headers={"Host": "router.example:443"}).status_code == 200
    expected = 200 if hosts == ("*",) else 403
    assert client.post(ECHO, json={}, headers={"Host": "localhost"}).status_code == expected


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json"]
)
def test_writes_want_json(client: Any, method: str, content_type: str) -> None:
    answer = client.open(ECHO, method=method, data=b'{"a": 1}', content_type=content_type)
    assert (answer.status_code, answer.json["error"]["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.json["msg"]


def test_a_write_without_body_and_type_is_refused_too(client: Any) -> None:
    assert client.post(ECHO).status_code == 415


def test_a_delete_needs_no_body(client: Any) -> None:
    assert client.delete("/api/server/one").status_code == 200


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
def test_json_by_other_spellings(client: Any, content_type: str) -> None:
    assert client.post(ECHO, data=b'{"a": 1}', content_type=content_type).json == {"a": 1}


def test_compressed_bodies_are_refused(client: Any) -> None:
    answer = client.post(ECHO, data=b"x", content_type="application/json", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


BODIES: list[tuple[bytes, str | None]] = [
    (b"", None),
    (b"{", None),
    (b"[" * 100_000, None),
    (b'{"a": NaN}', None),
    (b'{"a": "\xff"}', None),
    (b'{"a": "\\u0000"}', "a"),
    (b'{"a": ["\\ud800"]}', "a[0]"),
    (b'{"a": ' + b"1" * 5000 + b"}", None),
]


@pytest.mark.parametrize(("body", "field"), BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("path", [ECHO, "/v1/chat/completions", "/api/v1/chat/completions"])
def test_bodies_that_are_no_use(client: Any, body: bytes, field: str | None, path: str) -> None:
    answer = client.post(path, data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["error"].get("field", answer.json["error"].get("param")) == field


def test_the_body_cap(client: Any) -> None:
    client = echo_app(SMALL).test_client()
    assert client.post(ECHO, data=b'"' + b"x" * 998 + b'"', content_type="application/json").status_code == 200
    answer = client.post(ECHO, data=b'"' + b"x" * 999 + b'"', content_type="application/json")
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "request_too_large")
    assert "1000" in answer.json["msg"]


def pieces() -> Iterator[bytes]:
    yield b'"'
    for _ in range(3000):
        yield b"x" * 1000
    yield b'"'


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", [ECHO, "/v1/chat/completions"])
def test_a_client_that_sends_3_mb_sees_the_answer(chunked: bool, path: str) -> None:
    with served(echo_app()) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        headers = {"Content-Type": "application/json"}
        body: Any = pieces() if chunked else b"".join(pieces())
        connection.request("POST", path, body, headers, encode_chunked=chunked)
        response = connection.getresponse()
        text = response.read()
        connection.close()
    assert response.status == 413, text
    assert b"ROLLCALL_MAX_BODY_BYTES" in text


def test_a_chunked_body_is_read(client: Any) -> None:
    with served(echo_app()) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.request("POST", ECHO, iter([b'{"a"', b": 1}"]), {"Content-Type": "application/json"})
        assert connection.getresponse().read().strip() == b'{"a":1}'
        connection.close()


def test_a_client_that_leaves_in_mid_body_is_no_crash(caplog: pytest.LogCaptureFixture) -> None:
    app = echo_app()
    with served(app) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.putrequest("POST", ECHO)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "500")
        connection.endheaders(b'{"a"')
        assert connection.sock is not None
        connection.sock.shutdown(1)
        assert connection.getresponse().status == 400
        connection.close()
    assert "Traceback" not in caplog.text


class BrokenChunk(io.BytesIO):
    """What gunicorn gives for a chunk whose size is no number: an error of its own class."""

    def readinto(self, buffer: Any) -> int:
        raise type("InvalidChunkSize", (Exception,), {})("zz")


@pytest.mark.parametrize("body", [BrokenChunk(), io.BytesIO(b"{}")])
def test_a_body_that_ends_early_is_the_callers_fault(client: Any, body: io.BytesIO) -> None:
    length = {"CONTENT_LENGTH": "50"} if body.getvalue() else {"HTTP_TRANSFER_ENCODING": "chunked"}
    answer = client.post(
        ECHO,
        content_type="application/json",
        input_stream=body,
        environ_overrides={"wsgi.input_terminated": True, **length},
    )
    assert (answer.status_code, answer.json["msg"]) == (400, "The body could not be read to its end.")


def test_the_whole_surface_is_guarded() -> None:
    answer = callers_app().test_client().post("/v1/chat/completions", json=CHAT, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "host_not_allowed")


def test_in_a_foreign_application_only_our_routes_are_guarded() -> None:
    app = Flask("foreign")
    register_edge(app, Settings(), Watchdog(), only={"rollcall-models"})
    register_error_handlers(app, own=False)
    app.register_blueprint(models.blueprint)
    app.extensions["rollcall"] = SimpleNamespace(fleet=ScriptedFleet())
    app.add_url_rule("/theirs", view_func=lambda: "theirs", methods=["POST"])
    client = app.test_client()
    theirs = client.post("/theirs", data=b"x", headers={"Host": "evil.example"})
    assert (theirs.text, "X-Request-Id" in theirs.headers) == ("theirs", False)
    assert client.get("/nowhere").mimetype == "text/html"
    ours = client.get("/v1/models", headers={"Host": "evil.example"})
    assert (ours.status_code, ours.json["error"]["code"]) == (403, "host_not_allowed")
    assert client.get("/v1/models").json["data"] == []
