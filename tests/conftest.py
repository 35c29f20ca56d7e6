"""Databases for every test that wants one: SQLite, and a real PostgreSQL that all xdist processes share.

A test gets a fresh, migrated database of its own: a copy of a file, or CREATE DATABASE … TEMPLATE.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine

from app.storage.database import Database, engine_options
from tests.databases import TEMPLATE, postgres_database, prepare_postgres, start_postgres, upgrade

# Machines are shared and slow at times: how long an example takes to make or to run says nothing about the code.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of this test run."""
    base = tmp_path_factory.getbasetemp()
    # An xdist process has its own folder inside that of the run.
    return base.parent if base.name.startswith("popen-") else base


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    with (folder / "fixtures.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def sqlite_template(shared_folder: Path) -> Path:
    path = shared_folder / "template.db"
    with one_at_a_time(shared_folder):
        if not path.exists():
            building = shared_folder / "building.db"
            upgrade(f"sqlite:///{building}")
            building.rename(path)
    return path


@pytest.fixture(scope="session")
def postgres_server(shared_folder: Path) -> str:
    """URL of the server's own database. The server stops with the last process that uses it."""
    # Not below pytest's folder: each pytest that starts bars that to others, and as root the server is another user.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"{os.getpid()}"
    folder = Path(tempfile.gettempdir()) / f"rollcall-postgres-{run}"
    with one_at_a_time(shared_folder):
        folder.mkdir(exist_ok=True)
        url = start_postgres(folder)
        prepare_postgres(url)
    return url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "rollcall.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    with postgres_database(postgres_server, TEMPLATE) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database: the test runs once on each engine."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """As `database_url`, for all tests of a module."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("shared") / "rollcall.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        with postgres_database(request.getfixturevalue("postgres_server"), TEMPLATE) as url:
            yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    engine = create_engine(database_url, **engine_options(database_url))
    yield Database(engine)
    engine.dispose()
