"""Every error in the shape of its caller; nothing leaks, nothing is 200."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, abort
from marshmallow import Schema, ValidationError, fields
from webargs.flaskparser import parser

from app.core.errors import InvalidField, RollcallError
from tests.api.callers import CHAT, SEED, ScriptedRouter, callers_app, no_model

MANAGEMENT = "/api/server/thing"


def app_that_raises(error: Exception) -> Flask:
    app = callers_app(ScriptedRouter(error=error))

    @app.post(MANAGEMENT)
    def fail() -> None:
        raise error

    return app


def management(error: Exception) -> Any:
    return app_that_raises(error).test_client().post(MANAGEMENT, json={}, headers={"X-Request-Id": "r-1"})


def test_management_shape() -> None:
    answer = management(InvalidField("weight must be at most 1000.", field="weight"))
    assert answer.status_code == 422
    assert answer.content_type == "application/json"
    assert answer.json == {
        "success": False,
        "msg": "weight must be at most 1000.",
        "error": {"code": "invalid_field", "field": "weight", "request_id": "r-1"},
    }


OPENAI_ERROR = {
    "message": "No worker serves the model 'm'.",
    "type": "invalid_request_error",
    "param": "model",
    "code": "model_not_found",
    "request_id": "r-1",
}


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/api/v1/chat/completions"])
def test_the_caller_reads_its_own_shape(route: str) -> None:
    client = callers_app(ScriptedRouter(error=no_model())).test_client()
    answer = client.post(route, json=CHAT, headers={"X-Request-Id": "r-1"})
    assert (answer.status_code, answer.json) == (404, {"error": OPENAI_ERROR})
    answer = client.post(route, json=SEED, headers={"X-Request-Id": "r-1"})
    assert (answer.status_code, answer.json["success"]) == (404, False)
    assert answer.json["error"] == {"code": "model_not_found", "field": "model_name", "request_id": "r-1"}


@pytest.mark.parametrize(
    ("route", "both"), [("/v1/chat/completions", False), ("/api/v1/chat/completions", True), ("/api/v1/nothing", True)]
)
def test_where_the_shape_is_unknown_both_can_read_it(route: str, both: bool) -> None:
    answer = callers_app().test_client().post(route, data=b"{", content_type="application/json")
    assert answer.status_code in (400, 404)
    assert answer.json["error"]["message"]
    assert (answer.json.get("msg") == answer.json["error"]["message"]) is both
    assert ("success" in answer.json) is both


@pytest.mark.parametrize(("seconds", "header"), [(0, "0"), (0.2, "1"), (2.0, "2"), (2.1, "3")])
def test_retry_after_is_rounded_up(seconds: float, header: str) -> None:
    assert management(RollcallError("x", retry_after_s=seconds)).headers["Retry-After"] == header


@pytest.mark.parametrize(("should_retry", "header"), [(False, "false"), (None, None), (True, None)])
def test_should_retry(should_retry: bool | None, header: str | None) -> None:
    assert management(RollcallError("x", should_retry=should_retry)).headers.get("x-should-retry") == header


def test_a_crash_says_nothing_but_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    answer = management(ZeroDivisionError("secret inside"))
    assert answer.status_code == 500
    assert answer.json["error"] == {"code": "internal_error", "field": None, "request_id": "r-1"}
    assert "r-1" in answer.json["msg"]
    assert "secret" not in answer.text
    assert "Traceback" in caplog.text
    assert "r-1" in caplog.text


@pytest.mark.parametrize("path", ["/nowhere", "/v1/nowhere", "/api/v1/nowhere", "/api/server/nowhere"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_routes_are_named(path: str, method: str) -> None:
    answer = callers_app().test_client().open(path, method=method)
    assert answer.status_code == 404
    assert answer.content_type == "application/json"
    assert f"{method} {path}" in answer.text
    assert "/docs" in answer.text
    assert answer.headers["X-Request-Id"]


def test_405_lists_what_is_allowed() -> None:
    answer = app_that_raises(ValueError()).test_client().get(MANAGEMENT)
    assert (answer.status_code, answer.json["error"]["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert "POST" in answer.json["msg"]


def test_redirects_pass() -> None:
    app = callers_app()
    app.add_url_rule("/folder/", view_func=lambda: "x", endpoint="folder")
    assert app.test_client().get("/folder").status_code == 308


@pytest.mark.parametrize("status", [400, 401, 409, 418, 429, 500, 503])
def test_every_http_error_gets_the_shape(status: int) -> None:
    app = callers_app()
    app.add_url_rule(MANAGEMENT, view_func=lambda: abort(status, description="What is wrong."))
    answer = app.test_client().get(MANAGEMENT)
    assert (answer.status_code, answer.json["success"], answer.json["msg"]) == (status, False, "What is wrong.")


class Inner(Schema):
    names = fields.List(fields.String())


class Outer(Schema):
    weight = fields.Integer(required=True)
    body = fields.Nested(Inner)


def test_validation_errors_name_the_place() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer().load({"weight": 1, "body": {"names": ["a", 3]}})
    answer = management(caught.value)
    assert (answer.status_code, answer.json["error"]["field"]) == (422, "body.names[1]")
    assert "body.names[1]" in answer.json["msg"]


def test_webargs_errors_name_the_place_without_its_location() -> None:
    app = callers_app()

    @app.post(MANAGEMENT)
    @parser.use_args(Outer, location="json")
    def view(arguments: Any) -> None: ...

    answer = app.test_client().post(MANAGEMENT, json={"weight": "many"})
    assert (answer.status_code, answer.json["error"]["field"]) == (422, "weight")
    assert "weight" in answer.json["msg"]
