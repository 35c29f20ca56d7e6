"""GET /api/server/workers; GET, PATCH, DELETE /api/server/workers/ID."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.management import OFFLINE, REGISTER, URL, WORKERS, Api, management, refused, registration


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(database_url, tmp_path) as api:
        yield api


@pytest.fixture
def light(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(sqlite_url, tmp_path) as api:
        yield api


def test_workers_answers_a_json_list_and_no_repr(api: Api) -> None:
    """The origin answered str(list)."""
    assert api.get(WORKERS).json == {"success": True, "data": [], "next_cursor": None}
    api.register(model_name="chatglm2-6b")
    answer = api.get(WORKERS)
    assert answer.json is not None
    assert isinstance(answer.json["data"], list)
    assert answer.json["data"][0]["model_name"] == "chatglm2-6b"


def test_a_row_carries_the_seeds_fields_and_what_operators_want(api: Api) -> None:
    api.register()
    (row,) = api.rows()
    assert {name: row[name] for name in ("probe", "status", "available", "share", "weight", "admin")} == {
        "probe": "unknown",
        "status": "unknown",
        "available": True,
        "share": 1.0,
        "weight": 1,
        "admin": "enabled",
    }
    assert {name: row[name] for name in ("req_type", "req_param", "header", "is_stream", "response_extract")} == {
        "req_type": "POST",
        "req_param": {},
        "header": {},
        "is_stream": False,
        "response_extract": "",
    }
    for name in ("last_probe_at", "last_ok_at", "last_fail_at", "last_error", "upstream_model"):
        assert row[name] is None
    assert row["created_at"].endswith("Z")
    assert (row["owner"], row["instance"], row["worker_type"]) == ("", "", "REMOTE")


def test_filters(api: Api) -> None:
    first = api.register(owner="a")
    second = api.register(model_name="n", owner="b")
    api.post(OFFLINE, {"id": second})
    for query, ids in (
        ({"model_name": "m"}, [first]),
        ({"owner": "b"}, [second]),
        ({"status": "offline"}, [second]),
        ({"status": "unknown"}, [first]),
        ({"status": "down"}, []),
        ({"model_name": "m", "owner": "b"}, []),
    ):
        assert [row["id"] for row in api.rows(**query)] == ids, query


def test_pages(light: Api) -> None:
    ids = [light.register(instance=str(number)) for number in range(5)]
    found: list[int] = []
    cursor: int | None = 0
    while cursor is not None:
        answer = light.get(WORKERS, limit=2, cursor=cursor)
        assert answer.json is not None
        found += [row["id"] for row in answer.json["data"]]
        cursor = answer.json["next_cursor"]
    assert found == ids


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"modelname": "m"}, "modelname"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"cursor": "-1"}, "cursor"),
        ({"cursor": "9" * 5000}, "cursor"),
        ({"status": "up"}, "status"),
        ({"model_name": "x" * 201}, "model_name"),
    ],
    ids=["unknown", "limit 0", "limit 1001", "limit many", "limit 1.5", "cursor -1", "huge cursor", "status", "long"],
)
def test_queries_are_checked(light: Api, query: dict[str, str], field: str) -> None:
    assert field in refused(light.get(WORKERS, **query), 422, field)


def test_text_that_no_database_takes_is_refused_by_both_alike(api: Api) -> None:
    assert "NUL" in refused(api.get(WORKERS, model_name="a\x00b"), 422, "model_name")


def test_one_worker(api: Api) -> None:
    worker_id = api.register()
    answer = api.get(f"{WORKERS}/{worker_id}")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["success"] is True
    assert answer.json["data"] == api.rows()[0]


def test_patch_changes_weight_and_admin(api: Api) -> None:
    worker_id = api.register()
    answer = api.patch(f"{WORKERS}/{worker_id}", {"weight": 0, "admin": "draining"})
    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["data"]["weight"], answer.json["data"]["admin"]) == (0, "draining")
    api.patch(f"{WORKERS}/{worker_id}", {"admin": "enabled"})
    (row,) = api.rows()
    assert (row["weight"], row["admin"], row["available"], row["share"]) == (0, "enabled", True, 1.0)
    assert "standby" in row["why"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"weight": "3"}, 422),
        ({"weight": 1001}, 422),
        ({"admin": "up"}, 422),
        ({"wieght": 3}, 422),
        ({"model_name": "other"}, 422),
        ([], 422),
    ],
    ids=repr,
)
def test_patch_refuses_what_it_does_not_know(light: Api, body: Any, status: int) -> None:
    worker_id = light.register()
    refused(light.patch(f"{WORKERS}/{worker_id}", body), status)
    assert light.rows()[0]["weight"] == 1


def test_delete_is_for_good(api: Api) -> None:
    worker_id = api.register()
    answer = api.delete(f"{WORKERS}/{worker_id}")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["success"] is True
    assert api.rows() == []
    refused(api.delete(f"{WORKERS}/{worker_id}"), 404)


@pytest.mark.parametrize("worker_id", ["77", "0", "9" * 40])
def test_workers_that_are_not_there(api: Api, worker_id: str) -> None:
    refused(api.get(f"{WORKERS}/{worker_id}"), 404)
    refused(api.patch(f"{WORKERS}/{worker_id}", {"weight": 1}), 404)
    refused(api.delete(f"{WORKERS}/{worker_id}"), 404)


def test_a_database_that_is_away_is_503_with_a_sentence_and_completions_keep_their_snapshot(
    light: Api, tmp_path: Path
) -> None:
    worker_id = light.register()
    (tmp_path / "rollcall.db").rename(tmp_path / "gone.db")
    (tmp_path / "rollcall.db").mkdir()  # SQLite would make a new file
    light.rollcall.database._reader.dispose()
    for answer in (
        light.get(WORKERS),
        light.get(f"{WORKERS}/{worker_id}"),
        light.post(REGISTER, registration(model_name="n")),
        light.put(REGISTER, registration()),
        light.post(OFFLINE, {"id": worker_id}),
        light.patch(f"{WORKERS}/{worker_id}", {"weight": 2}),
        light.delete(f"{WORKERS}/{worker_id}"),
    ):
        message = refused(answer, 503)
        assert "SELECT" not in message
        assert answer.headers["Retry-After"] == "2"
    assert light.get("/readyz").status_code == 200
    assert light.get("/api/server/route", model_name="m").status_code == 200
    assert light.rollcall.fleet.pool("m") is not None
    assert URL in light.get("/api/server/route", model_name="m").text


def test_health_and_readiness(light: Api) -> None:
    assert light.get("/healthz").json == {"status": "ok"}
    answer = light.get("/readyz")
    assert refused(answer, 503)
    light.rollcall.fleet.refresh()
    ready = light.get("/readyz")
    assert ready.status_code == 200
    assert ready.json is not None
    assert ready.json["status"] == "ready"
