"""POST /api/server/offline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.management import OFFLINE, URL, Api, management, refused


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(database_url, tmp_path) as api:
        yield api


def test_the_seeds_request_is_answered_as_the_seed_does(api: Api) -> None:
    worker_id = api.register()
    answer = api.post(OFFLINE, {"model_name": "m", "req_url_template": URL})
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["success"] is True
    assert answer.json["msg"] == f"remove llm worker(model_name=m, url={URL}) succeed!"
    assert answer.json["ids"] == [worker_id]
    (row,) = api.rows()
    assert (row["admin"], row["status"], row["available"], row["share"]) == ("offline", "offline", False, 0.0)


def test_it_may_be_repeated(api: Api) -> None:
    api.register()
    answers = [api.post(OFFLINE, {"model_name": "m", "req_url_template": URL}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    first, second = (answer.json for answer in answers)
    assert first is not None
    assert second is not None
    assert first["revision"] == second["revision"]


def test_instances_are_told_apart(api: Api) -> None:
    ids = [api.register(instance=name) for name in ("", "a", "b")]
    answer = api.post(OFFLINE, {"model_name": "m", "req_url_template": URL, "instance": ""})
    assert answer.json is not None
    assert answer.json["ids"] == ids[:1]
    answer = api.post(OFFLINE, {"model_name": "m", "req_url_template": URL})
    assert answer.json is not None
    assert answer.json["ids"] == ids


def test_drain_by_id(api: Api) -> None:
    worker_id = api.register()
    answer = api.post(OFFLINE, {"id": worker_id, "drain": True})
    assert answer.json is not None
    assert answer.json["msg"].startswith("drain llm worker(")
    (row,) = api.rows()
    assert (row["admin"], row["status"]) == ("draining", "draining")


def test_unknown_workers(api: Api) -> None:
    refused(api.post(OFFLINE, {"id": 77}), 404)
    assert URL in refused(api.post(OFFLINE, {"model_name": "m", "req_url_template": URL}), 404)
    refused(api.post(OFFLINE, {"id": 10**30}), 404)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"model_name": "m"}, 400),
        ({"id": 1, "model_name": "m", "req_url_template": URL}, 400),
        ({"id": "1"}, 422),
        ({"id": True}, 422),
        ({"id": 0}, 422),
        ({"id": 1, "drain": "yes"}, 422),
        ({"id": 1, "drian": True}, 422),
        ({"model_name": "x" * 100_000, "req_url_template": URL}, 422),
        ({"model_name": "m", "req_url_template": "http://h/" + "x" * 100_000}, 422),
        ([], 422),
    ],
    ids=lambda given: repr(given)[:50],
)
def test_what_is_not_clear_is_refused(sqlite_url: str, tmp_path: Path, body: Any, status: int) -> None:
    with management(sqlite_url, tmp_path) as api:
        refused(api.post(OFFLINE, body), status)
