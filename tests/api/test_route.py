"""GET /api/server/route: who would be asked, why the others not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.worker import Health
from tests.api.management import OFFLINE, ROUTE, URL, WORKERS, Api, management, refused


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(sqlite_url, tmp_path) as api:
        yield api


def test_every_worker_with_its_share_and_why_not(api: Api) -> None:
    first, second, standby, gone = (
        api.register(instance=name, weight=weight) for name, weight in (("a", 3), ("b", 1), ("c", 0), ("d", 5))
    )
    api.post(OFFLINE, {"id": gone, "drain": True})
    answer = api.get(ROUTE, model_name="m")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["success"] is True
    assert answer.json["model_name"] == "m"
    rows = {row["id"]: row for row in answer.json["data"]}
    assert [rows[worker_id]["share"] for worker_id in (first, second, standby, gone)] == [0.75, 0.25, 0.0, 0.0]
    assert [rows[worker_id]["available"] for worker_id in (first, second, standby, gone)] == [True, True, True, False]
    assert rows[first]["url"] == URL
    assert rows[first]["weight"] == 3
    assert "standby" in rows[standby]["why"]
    assert rows[gone]["status"] == "draining"
    assert "draining" in rows[gone]["why"]


def test_a_model_with_only_offline_workers_is_still_known(api: Api) -> None:
    worker_id = api.register()
    api.post(OFFLINE, {"id": worker_id})
    answer = api.get(ROUTE, model_name="m")
    assert answer.json is not None
    assert [row["status"] for row in answer.json["data"]] == ["offline"]


def test_who_refused_a_connection_is_shown_as_benched(api: Api) -> None:
    worker_id = api.register()
    api.rollcall.verdicts.refused(api.rollcall.fleet.snapshot().workers[worker_id])
    answer = api.get(ROUTE, model_name="m")
    assert answer.json is not None
    (row,) = answer.json["data"]
    assert (row["available"], row["status"], row["share"]) == (False, "down", 0.0)
    assert "refused" in row["why"]


def test_what_calls_taught_is_shown_with_the_seconds_left(api: Api) -> None:
    ids = [api.register(instance=name) for name in "abcdef"]
    workers, verdicts = api.rollcall.fleet.snapshot().workers, api.rollcall.verdicts
    for _ in range(3):
        verdicts.failed(workers[ids[0]], time.monotonic())
    verdicts.backpressure(workers[ids[1]], 40)
    verdicts.refused(workers[ids[2]])
    down = replace(workers[ids[3]], health=Health(probe="down"))
    verdicts.changed(down, replace(down, health=Health(probe="up")))
    route = {row["id"]: row for row in api.get(ROUTE, model_name="m").json["data"]}  # type: ignore[index]
    listed = {row["id"]: row for row in api.rows()}
    for rows in (route, listed):
        seen = [(rows[each]["status"], rows[each]["available"], rows[each]["seconds_left"]) for each in ids[:3]]
        assert [(status, available) for status, available, _ in seen] == [
            ("ejected", False), ("backing_off", False), ("down", False),
        ]  # fmt: skip
        assert [left for _, _, left in seen] == [
            pytest.approx(30, abs=6), pytest.approx(40, abs=3), pytest.approx(2, abs=2),
        ]  # fmt: skip
        assert "failed in a row: no traffic for" in rows[ids[0]]["why"]
        assert "too busy: no traffic for" in rows[ids[1]]["why"]
        assert "slow start" in rows[ids[3]]["why"]
        assert 0 < rows[ids[3]]["share"] < rows[ids[4]]["share"]
        assert sum(row["share"] for row in rows.values()) == pytest.approx(1, abs=0.001)
        assert rows[ids[5]]["seconds_left"] is None
    assert [row["id"] for row in api.rows(status="backing_off")] == [ids[1]]
    api.patch(f"{WORKERS}/{ids[0]}", {"admin": "draining"})
    assert api.rows(status="draining")[0]["id"] == ids[0]


def test_a_worker_on_trial_is_shown_so(api: Api) -> None:
    first, _ = (api.register(instance=name) for name in "ab")
    worker, verdicts = api.rollcall.fleet.snapshot().workers[first], api.rollcall.verdicts
    for _ in range(3):
        verdicts.failed(worker, time.monotonic())
    verdicts.succeeded(worker, time.monotonic())
    row = api.get(ROUTE, model_name="m").json["data"][0]  # type: ignore[index]
    assert (row["status"], row["available"], row["share"], row["seconds_left"]) == ("ejected", False, 0.0, None)
    assert "one call at a time until 2 succeed" in row["why"]


def test_refusals(api: Api) -> None:
    assert "nobody" in refused(api.get(ROUTE, model_name="nobody"), 404, "model_name")
    refused(api.get(ROUTE), 422, "model_name")
    refused(api.get(ROUTE, model_name="x" * 5000), 422, "model_name")
    assert refused(api.get(ROUTE, modelname="m"), 422, "modelname").endswith("did you mean model_name?")
