"""Web pages of other origins: none, until some are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.api.management import Api, management

ORIGIN = "https://app.example"
KEY = "an-admin-key-of-the-environment"


def preflight(api: Api, origin: str) -> TestResponse:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return api.send("OPTIONS", "/v1/chat/completions", headers=headers)


def test_no_page_may_call_until_one_is_named(sqlite_url: str, tmp_path: Path) -> None:
    for settings in ({}, {"ROLLCALL_ADMIN_KEY": KEY}):
        with management(sqlite_url, tmp_path, **settings) as api:
            for answer in (
                preflight(api, ORIGIN),
                api.send("GET", "/v1/models", headers={"Origin": ORIGIN, "x-api-key": KEY}),
            ):
                assert not any(name.lower().startswith("access-control") for name, _ in answer.headers)


@pytest.mark.parametrize(("setting", "told"), [(f"http://x, {ORIGIN}", ORIGIN), ("*", "*")])
def test_a_named_page_may_call_with_a_key(sqlite_url: str, tmp_path: Path, setting: str, told: str) -> None:
    settings = {"ROLLCALL_ADMIN_KEY": KEY, "ROLLCALL_CORS_ORIGINS": setting}
    with management(sqlite_url, tmp_path, **settings) as api:
        asked = preflight(api, ORIGIN)
        assert asked.status_code == 204
        assert asked.headers["Access-Control-Allow-Origin"] == told
        assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in asked.headers
        for key, status in ((KEY, 200), ("wrong", 401)):
            answer = api.send("GET", "/api/server/workers", headers={"Origin": ORIGIN, "x-api-key": key})
            assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, told)
            assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.evil", "null", "http://app.example"])
def test_any_other_page_may_not(sqlite_url: str, tmp_path: Path, origin: str) -> None:
    settings = {"ROLLCALL_ADMIN_KEY": KEY, "ROLLCALL_CORS_ORIGINS": ORIGIN}
    with management(sqlite_url, tmp_path, **settings) as api:
        asked = preflight(api, origin)
        assert asked.status_code == 401
        assert "Access-Control-Allow-Origin" not in asked.headers
