"""`offline`, `drain`, `enable`, `purge`: what an operator wants, remembered in the database."""

from __future__ import annotations

import json

import pytest

from tests.cli.operating import Manage, add, done, refused, registration

URL = "http://127.0.0.1:9/generate"


def admins(manage: Manage) -> dict[int, str]:
    return {row["id"]: row["admin"] for row in json.loads(done(manage("list-workers", "--json")))}


def test_by_ids(manage: Manage) -> None:
    one, two, three = add(manage, 1), add(manage, 2), add(manage, 3)
    assert done(manage("offline", str(one), str(two))).count("is offline.\n") == 2
    assert done(manage("drain", str(three))) == f"Worker {three} (m at http://127.0.0.1:3/generate) is draining.\n"
    assert admins(manage) == {one: "offline", two: "offline", three: "draining"}
    assert done(manage("enable", str(one), str(three))).count("is enabled.\n") == 2
    assert admins(manage) == {one: "enabled", two: "offline", three: "enabled"}


def test_by_model_and_url_with_or_without_an_instance(manage: Manage) -> None:
    one, two = add(manage, instance="a"), add(manage, instance="b")
    done(manage("drain", "--model", "m", "--url", URL, "--instance", "b"))
    assert admins(manage) == {one: "enabled", two: "draining"}
    done(manage("offline", "--model", "m", "--url", URL))
    assert admins(manage) == {one: "offline", two: "offline"}


def test_registering_brings_an_offline_worker_back(manage: Manage) -> None:
    worker = add(manage)
    done(manage("offline", str(worker)))
    assert ": revived." in done(manage("register", "--file", "-", stdin=json.dumps(registration())))
    assert admins(manage) == {worker: "enabled"}


@pytest.mark.parametrize("command", ["offline 7", "drain 7", "enable 7", f"offline --model x --url {URL}"])
def test_an_unknown_worker_is_refused(manage: Manage, command: str) -> None:
    assert "worker" in refused(manage(*command.split())).lower()


@pytest.mark.parametrize(
    "command",
    [
        "offline",
        "drain --model m",
        f"drain --url {URL}",
        f"offline 1 --model m --url {URL}",
        "offline 1 --instance a",
        "enable",
        "offline x",
        "purge",
        "purge --offline-for soon",
        "purge --offline-for -1d",
        "nonsense",
    ],
)
def test_wrong_usage(manage: Manage, command: str) -> None:
    result = manage(*command.split())
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: manage.py")


def test_purge_removes_what_was_offline_for_that_long_and_nothing_else(manage: Manage) -> None:
    one, two = add(manage, 1), add(manage, 2)
    done(manage("offline", str(one)))
    assert done(manage("purge", "--offline-for", "30d")).startswith("No worker has been offline for that long")
    assert done(manage("purge", "--offline-for", "0s")) == f"Removed 1 worker: {one}.\n"
    assert admins(manage) == {two: "enabled"}
