"""One history for both engines: up, down, compared with the models, and by several processes at once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from app.core.registration import Registration
from app.core.worker import Worker
from app.storage import health, lease, revision, workers
from app.storage.database import SCHEMA, Database, SchemaBehind, normalise_url
from tests.databases import ROOT, opened, postgres_database, storage_app

Build = Callable[..., Registration]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield normalise_url(f"sqlite:///{tmp_path}/empty.db")
    else:
        with postgres_database(request.getfixturevalue("postgres_server"), "template0") as url:
            yield url


def migrate(url: str, command: Callable[..., object], *args: Any) -> None:
    with storage_app(url).app_context():
        command(*args)


def fill(database: Database, registration: Build) -> list[Worker]:
    with database.write() as tx:
        mine = lease.take(tx, "me", lease.read(tx))
        assert mine
        for index in range(20):
            worker = workers.insert(tx, registration(f"m{index}", spec='{"body":"é"}'), 1, 100.0)
            after = replace(worker.health, probe="down", streak=-3, last_error="refused", due_at=5.0)
            assert health.record(tx, worker.id, worker.health, after, mine.epoch)
        return workers.find_all(tx)


def test_the_code_names_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    assert scripts.get_heads() == [SCHEMA]


def test_up_filled_down_and_up_again(empty_url: str, registration: Build) -> None:
    migrate(empty_url, flask_migrate.upgrade)
    database = opened(empty_url)
    database.check_schema()
    assert len(fill(database, registration)) == 20
    migrate(empty_url, flask_migrate.downgrade, None, "base")
    engine = create_engine(empty_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
    with pytest.raises(SchemaBehind):
        database.check_schema()
    migrate(empty_url, flask_migrate.upgrade)
    database.check_schema()
    with database.read() as tx:
        assert workers.find_all(tx) == []
        assert revision.current(tx) == 0
        assert lease.read(tx) == lease.Lease("", 0, 0)


def test_the_first_release_upgrades_with_its_rows_and_back(empty_url: str) -> None:
    migrate(empty_url, flask_migrate.upgrade, None, "0001")
    row = {
        "identity": "i", "model_name": "m", "url": "http://w", "instance": "", "owner": "me", "worker_type": "REMOTE",
        "weight": 3, "admin": "draining", "admin_changed_at": 1.0, "created_at": 1.0, "updated_at": 1.0, "changed": 1,
        "spec": "{}",
    }  # fmt: skip
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        names = ", ".join(row)
        connection.execute(text(f"INSERT INTO worker ({names}) VALUES (:{', :'.join(row)})"), row)
        connection.execute(
            text(
                "INSERT INTO worker_health (worker_id, probe, streak, since, interval_s, planned_at, epoch) "
                "SELECT id, 'up', 2, 1, 1, 1, 1 FROM worker"
            )
        )
    migrate(empty_url, flask_migrate.upgrade)
    with opened(empty_url).read() as tx:
        (worker,) = workers.find_all(tx)
    assert (worker.admin, worker.weight, worker.health.probe) == ("draining", 3, "up")
    assert (worker.ttl_s, worker.expires_at) == (None, None)
    migrate(empty_url, flask_migrate.downgrade, None, "0001")
    with engine.begin() as connection:
        assert connection.execute(text("SELECT model_name FROM worker")).scalars().all() == ["m"]
        assert connection.execute(text("SELECT probe FROM worker_health")).scalars().all() == ["up"]
    engine.dispose()
    migrate(empty_url, flask_migrate.upgrade)
    migrate(empty_url, flask_migrate.check)


def test_a_second_upgrade_changes_nothing(database_url: str, registration: Build) -> None:
    database = opened(database_url)
    before = fill(database, registration)
    migrate(database_url, flask_migrate.upgrade)
    with database.read() as tx:
        assert workers.find_all(tx) == before


def test_models_and_migrations_agree(database_url: str) -> None:
    migrate(database_url, flask_migrate.check)  # leaves with SystemExit where they differ


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE worker ADD COLUMN extra TEXT",
        "ALTER TABLE worker DROP COLUMN owner",
        "DROP INDEX ix_worker_changed",
        "DROP TABLE lease",
        "CREATE UNIQUE INDEX ix_worker_url ON worker (url)",
    ],
)
def test_a_difference_is_found(database_url: str, change: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        if "DROP COLUMN" in change:
            connection.execute(text("DROP INDEX ix_worker_owner_id"))
        connection.execute(text(change))
    engine.dispose()
    with pytest.raises(SystemExit):
        migrate(database_url, flask_migrate.check)


def test_four_processes_at_once(empty_url: str) -> None:
    command = [sys.executable, "-m", "tests.storage.migrating", empty_url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], errors
    assert sum(error.count("Database upgraded to 0001") for error in errors) == 1
    opened(empty_url).check_schema()


def test_logging_stays_as_the_application_has_it(empty_url: str) -> None:
    own = logging.getLogger("somebody.else")
    before = (logging.root.level, list(logging.root.handlers), logging.getLogger("sqlalchemy.engine").level)
    migrate(empty_url, flask_migrate.upgrade)
    assert not own.disabled
    assert (logging.root.level, logging.root.handlers, logging.getLogger("sqlalchemy.engine").level) == before


def test_statements_can_be_printed_instead(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with storage_app(empty_url).app_context():
        flask_migrate.upgrade(sql=True)
    out = capsys.readouterr().out
    assert "CREATE TABLE worker_health" in out
    assert "INSERT INTO lease" in out


def flask(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as an operator types it, in the project's folder."""
    command = [sys.executable, "-m", "flask", "db", *words]
    environment = {**os.environ, "DATABASE_URL": url}
    environment.pop("FLASK_APP", None)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_the_command_itself(empty_url: str) -> None:
    done = flask(empty_url, "upgrade")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [
        "Database upgraded to 0001",
        "Database upgraded to 0002",
        "Database upgraded to 0003",
    ]
    opened(empty_url).check_schema()
    checked = flask(empty_url, "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    down = flask(empty_url, "downgrade")
    assert down.stderr.startswith(f"Database downgraded from {SCHEMA}: ")
    assert down.returncode == 0


def test_a_database_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    done = flask(f"postgresql://me:hunter2@/db?host={tmp_path}", "upgrade")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
