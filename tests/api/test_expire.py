"""Registrations with a time limit through the routes: `ttl_s`, `expires_at`, /expire, and PUT that renews."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.api.management import OFFLINE, REGISTER, URL, WORKERS, Api, management, refused, registration


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(database_url, tmp_path) as api:
        api.rollcall.fleet.refresh()
        yield api


def row(api: Api, worker_id: int) -> dict[str, Any]:
    answer = api.get(f"{WORKERS}/{worker_id}")
    found: dict[str, Any] = answer.json["data"] if answer.json else {}
    return found


def expire(api: Api, worker_id: int) -> dict[str, Any]:
    answer = api.post(f"{WORKERS}/{worker_id}/expire", {})
    assert answer.status_code == 200, answer.json
    ended: dict[str, Any] = answer.json["data"] if answer.json else {}
    return ended


def lasts_s(shown: dict[str, Any]) -> float:
    begun, ends = (datetime.fromisoformat(shown[name]) for name in ("updated_at", "expires_at"))
    return (ends - begun).total_seconds()


def test_what_is_ended_shows_it_at_once_and_gets_no_traffic(api: Api) -> None:
    worker_id = api.register(ttl_s=60)
    assert (row(api, worker_id)["ttl_s"], lasts_s(row(api, worker_id))) == (60, 60)
    ended = expire(api, worker_id)
    assert (ended["status"], ended["available"], ended["admin"]) == ("expired", False, "enabled")
    assert "ttl_s" in ended["why"]
    assert [shown["id"] for shown in api.rows(status="expired")] == [worker_id]
    answer = api.post("/api/v1/chat/completions", {"model_name": "m", "input": "hi"})
    assert answer.status_code == 503
    assert "1 expired" in refused(answer, 503)


def test_registering_it_anew_revives_it_as_it_does_one_that_is_offline(api: Api) -> None:
    worker_id = api.register(ttl_s=60, weight=5)
    assert "already registered" in refused(api.post(REGISTER, registration(ttl_s=60)), 409)
    expire(api, worker_id)
    answer = api.post(REGISTER, registration())
    assert answer.json is not None
    assert (answer.json["id"], answer.json["outcome"]) == (worker_id, "revived")
    shown = row(api, worker_id)
    assert (shown["available"], shown["expires_at"], shown["weight"]) == (True, None, 1)


def test_who_drains_when_its_time_is_over_comes_back_draining(api: Api) -> None:
    worker_id = api.register(ttl_s=60)
    api.patch(f"{WORKERS}/{worker_id}", {"admin": "draining"})
    expire(api, worker_id)
    answer = api.post(REGISTER, registration(ttl_s=60))
    assert answer.json is not None
    assert answer.json["outcome"] == "revived"
    assert "draining" in str(answer.json["notes"])
    assert (row(api, worker_id)["admin"], row(api, worker_id)["status"]) == ("draining", "draining")


def test_the_same_registration_again_revives_it(api: Api) -> None:
    worker_id = api.register(ttl_s=60)
    expire(api, worker_id)
    answer = api.put(REGISTER, registration(ttl_s=60))
    assert answer.json is not None
    assert (answer.json["id"], answer.json["outcome"]) == (worker_id, "unchanged")
    assert row(api, worker_id)["available"]


def test_a_new_limit_counts_from_the_moment_it_was_registered(api: Api) -> None:
    worker_id = api.register(ttl_s=60)
    expire(api, worker_id)
    api.put(REGISTER, registration(ttl_s=600))
    assert lasts_s(row(api, worker_id)) == 600
    api.put(REGISTER, registration())
    assert (row(api, worker_id)["ttl_s"], row(api, worker_id)["expires_at"]) == (None, None)


def test_what_has_no_limit_does_not_end(api: Api) -> None:
    worker_id = api.register()
    assert expire(api, worker_id)["available"]


def test_what_operators_set_stays(api: Api) -> None:
    worker_id = api.register(ttl_s=60)
    api.patch(f"{WORKERS}/{worker_id}", {"weight": 7, "admin": "draining"})
    assert expire(api, worker_id)["status"] == "draining"
    answer = api.put(REGISTER, registration(ttl_s=60))
    assert answer.json is not None
    assert "draining" in answer.json["notes"][-1]
    assert (row(api, worker_id)["weight"], row(api, worker_id)["admin"]) == (7, "draining")
    api.post(OFFLINE, {"model_name": "m", "req_url_template": URL})
    api.put(REGISTER, registration(ttl_s=60))
    assert row(api, worker_id)["status"] == "offline"


def test_who_does_not_exist_cannot_end(api: Api) -> None:
    refused(api.post(f"{WORKERS}/99/expire", {}), 404)
    refused(api.post(f"{WORKERS}/{2**63}/expire", {}), 404)


def test_only_an_empty_object_ends_one(api: Api) -> None:
    worker_id = api.register(ttl_s=60)
    path = f"{WORKERS}/{worker_id}/expire"
    refused(api.post(path, {"now": True}), 422, "now")
    refused(api.send("POST", path), 415)
    assert row(api, worker_id)["available"]
