"""`list-workers`: the table people read, the lines that scripts read, and JSON."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from sqlalchemy import create_engine

from app.core.worker import Health
from app.storage import health, lease, workers
from app.storage.database import Database, engine_options
from tests.cli.operating import Manage, add, done, refused

URL = "http://127.0.0.1:9/generate"


def rows(manage: Manage, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done(manage("list-workers", "--json", *arguments)))
    return found


def probed(database_url: str, worker_id: int, after: Health) -> None:
    """As the prober would write it."""
    engine = create_engine(database_url, **engine_options(database_url))
    database = Database(engine)
    with database.write() as tx:
        mine = lease.take(tx, "test", lease.read(tx))
        assert mine is not None
        worker = workers.find(tx, worker_id)
        assert worker is not None
        assert health.record(tx, worker_id, worker.health, after, mine.epoch)
    engine.dispose()


def test_an_empty_registry_says_so(manage: Manage) -> None:
    assert done(manage("list-workers")) == "No worker is registered.\n"
    assert done(manage("list-workers", "--model", "m")) == "No worker matches.\n"
    assert rows(manage) == []


def test_piped_it_is_one_whole_line_for_each_worker(manage: Manage) -> None:
    long = "http://127.0.0.1:9/" + "long/" * 40
    add(manage, req_url_template=long, weight=3)
    add(manage, instance="two")
    head, first, second = done(manage("list-workers")).splitlines()
    assert head.split() == ["id", "model", "url", "weight", "share", "admin", "health", "last", "seen", "last", "error"]
    assert first.split() == ["1", "m", long, "3", "75", "%", "enabled", "unknown", "never"]
    assert second.split() == ["2", "m", URL, "(two)", "1", "25", "%", "enabled", "unknown", "never"]


def test_a_registration_that_has_ended_says_so(manage: Manage, sqlite_url: str) -> None:
    worker = add(manage, ttl_s=60)
    engine = create_engine(sqlite_url, **engine_options(sqlite_url))
    with (database := Database(engine)).write() as tx:
        workers.expire(tx, worker, database.now(tx))
    engine.dispose()
    line = done(manage("list-workers", "--status", "expired")).splitlines()[1]
    assert line.split() == ["1", "m", URL, "1", "-", "expired", "unknown", "never"]


def test_a_time_limit_that_ran_out_is_over_at_the_first_look(manage: Manage, sqlite_url: str) -> None:
    """The servers know it by now; nobody is served by this command, so there is nothing to be patient for."""
    add(manage, ttl_s=60)
    engine = create_engine(sqlite_url, **engine_options(sqlite_url))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE worker SET expires_at = expires_at - 65, updated_at = updated_at - 65")
    engine.dispose()
    assert [row["status"] for row in rows(manage)] == ["expired"]
    assert "expired" in done(manage("route", "m"))


def test_an_error_that_is_over_says_so(manage: Manage, sqlite_url: str) -> None:
    worker = add(manage)
    seen = Health(probe="up", streak=2, last_error="connection refused", last_fail_at=time.time() - 40, due_at=1.0)
    probed(sqlite_url, worker, seen)
    assert re.search(r"was: connection refused, 4\d s ago$", done(manage("list-workers")).splitlines()[1])


def test_at_80_columns_url_and_error_have_lines_of_their_own(manage: Manage, sqlite_url: str) -> None:
    worker = add(manage)
    probed(sqlite_url, worker, Health(probe="down", streak=-3, last_error="connection refused", due_at=1.0))
    lines = done(manage("list-workers", COLUMNS="80")).splitlines()
    assert lines[1].split() == ["1", "m", "1", "-", "enabled", "down", "never"]
    assert lines[2:] == [f"    {URL}", "    connection refused"]
    assert max(map(len, lines)) <= 80


def test_no_colours_and_no_control_characters_in_a_pipe(manage: Manage, sqlite_url: str) -> None:
    worker = add(manage)
    probed(sqlite_url, worker, Health(probe="down", streak=-3, last_error="evil \x1b]0;title\x07\nnext", due_at=1.0))
    out = done(manage("list-workers"))
    assert "\x1b" not in out
    assert "\x07" not in out
    assert len(out.splitlines()) == 2


def test_json_is_what_the_api_shows(manage: Manage) -> None:
    add(manage, header={"X-Key": "hush"}, weight=2)
    (row,) = rows(manage)
    assert row["model_name"] == "m"
    assert row["req_url_template"] == URL
    assert (row["weight"], row["admin"], row["probe"], row["status"]) == (2, "enabled", "unknown", "unknown")
    assert row["body"] == {"messages": "{MESSAGES}"}
    assert "hush" not in json.dumps(row)


def test_it_can_be_narrowed_by_model_and_by_status(manage: Manage) -> None:
    one, two = add(manage), add(manage, model_name="other")
    done(manage("offline", str(two)))
    assert [row["id"] for row in rows(manage, "--model", "m")] == [one]
    assert [row["id"] for row in rows(manage, "--status", "offline")] == [two]
    assert rows(manage, "--model", "m", "--status", "offline") == []
    assert manage("list-workers", "--status", "wrong").exit_code == 2


@pytest.mark.parametrize("command", ["list-workers", "purge --offline-for 1d", "probe", "route m", "enable 1"])
def test_a_database_without_tables_names_the_remedy(manage: Manage, tmp_path: object, command: str) -> None:
    result = manage(*command.split(), DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")
    assert "flask db upgrade" in refused(result)


def test_a_database_that_is_away_is_one_sentence(manage: Manage) -> None:
    result = manage("list-workers", DATABASE_URL="postgresql://nobody:geheim@127.0.0.1:9/none")
    sentence = refused(result)
    assert "cannot be reached" in sentence
    assert "geheim" not in sentence


@pytest.mark.parametrize(
    ("name", "value"), [("DATABASE_URL", "nonsense"), ("DATABASE_URL", "mysql://x/y"), ("ROLLCALL_PORT", "many")]
)
def test_a_bad_setting_is_named(manage: Manage, name: str, value: str) -> None:
    assert name in refused(manage("list-workers", **{name: value}))
