"""GET /api/server/route: who would be asked, why the others not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.management import OFFLINE, ROUTE, URL, Api, management, refused


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


def test_refusals(api: Api) -> None:
    assert "nobody" in refused(api.get(ROUTE, model_name="nobody"), 404, "model_name")
    refused(api.get(ROUTE), 422, "model_name")
    refused(api.get(ROUTE, model_name="x" * 5000), 422, "model_name")
    assert refused(api.get(ROUTE, modelname="m"), 422, "modelname").endswith("did you mean model_name?")
