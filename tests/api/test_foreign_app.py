"""The seed lets one bind the API into one's own application: the blueprints, and the checker started by hand."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

import app as rollcall
from tests.fakes import FakeUpstream, json_answer


@pytest.fixture
def host(sqlite_url: str) -> Flask:
    host = Flask("somebody-elses")
    host.get("/theirs")(lambda: "theirs")
    rollcall.init_app(host, {"DATABASE_URL": sqlite_url})
    return host


def test_the_blueprints_work_inside_a_foreign_application(host: Flask) -> None:
    client = host.test_client()
    with FakeUpstream(json_answer({"answer": "forty-two"})) as worker:
        registration = {
            "model_name": "m",
            "req_url_template": f"{worker.url}/ask",
            "body": {"q": "{USER_PROMPT}"},
            "response_extract": "answer",
        }
        assert client.post("/api/server/register", json=registration).json["success"] is True
        rollcall.start(host)
        try:
            reply = client.post("/api/v1/chat/completions", json={"model_name": "m", "input": "hi"})
            worker.wait_until(lambda seen: any(request.method == "GET" for request in seen.requests))
        finally:
            rollcall.stop(host)
    assert reply.json == {"success": True, "msg": "execute succeed", "result": "forty-two"}
    assert reply.headers["X-Request-Id"]


def test_the_factory_starts_no_thread(sqlite_url: str) -> None:
    before = set(threading.enumerate())
    rollcall.create_app({"DATABASE_URL": sqlite_url})
    assert set(threading.enumerate()) <= before


def test_what_belongs_to_the_foreign_application_is_left_alone(host: Flask) -> None:
    client = host.test_client()
    theirs = client.get("/theirs", headers={"Host": "anything.example"})
    assert theirs.text == "theirs"
    assert "X-Request-Id" not in theirs.headers
    assert client.get("/nowhere").mimetype == "text/html"
    ours = client.get("/v1/models", headers={"Host": "anything.example"})
    assert ours.status_code == 403


def test_the_foreign_application_may_have_a_database_of_its_own(sqlite_url: str) -> None:
    host = Flask("somebody-elses")
    host.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    theirs = SQLAlchemy(host)
    rollcall.init_app(host, {"DATABASE_URL": sqlite_url})
    assert host.test_client().get("/api/server/workers").json["success"] is True
    with host.app_context():
        assert str(theirs.engine.url) == "sqlite://"
