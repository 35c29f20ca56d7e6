"""Rollcall: one door in front of every model service. This is the only wiring room.

Imports stand inside the functions, so that `app.core` can be imported without Flask or SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from sqlalchemy import Engine


def create_app(values: Mapping[str, Any] | None = None, *, migrations: bool = True) -> Flask:
    """The server's application. `values` are settings by name; without them the environment decides.

    `migrations`: bind `flask db …` as well; serving processes do without, which saves each the memory of Alembic.
    Raises SettingsError. Starts no thread: `start(app)` does, once in each serving process.
    """
    from app.api.application import Application

    app = Application("rollcall")
    _bind(app, values, own=True)
    if migrations:
        from app.extensions import bind_migrations

        bind_migrations(app)
    return app


def init_app(app: Flask, values: Mapping[str, Any] | None = None) -> None:
    """Bind Rollcall's routes, commands and storage to an application of your own; its other routes stay as they are.

    Call `start(app)` once in the process that serves, for the fleet to be followed and health to be checked.
    """
    _bind(app, values, own=False)


def _bind(app: Flask, values: Mapping[str, Any] | None, *, own: bool) -> None:
    from app.api import register_api
    from app.services.rollcall import assemble
    from app.settings import SettingsError, load_settings
    from app.storage.database import Database, normalise_url, pooled_engine

    settings = load_settings(values)
    try:
        url = normalise_url(settings.database_url)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if settings.database_url == settings.default_database_url:
        settings.var.mkdir(parents=True, exist_ok=True)
    # An application that embeds us may have a Flask-SQLAlchemy of its own, and one is all that Flask can hold.
    engine = _own_engine(app, url) if own else pooled_engine(url)
    app.extensions["rollcall"] = assemble(settings, Database(engine))
    register_api(app, settings, own=own)


def _own_engine(app: Flask, url: str) -> Engine:
    from app.extensions import db
    from app.storage.database import engine_options

    app.config |= {"SQLALCHEMY_DATABASE_URI": url, "SQLALCHEMY_ENGINE_OPTIONS": engine_options(url)}
    db.init_app(app)
    with app.app_context():
        return db.engine


def start(app: Flask, ports: Iterable[int] = (), is_stopping: Callable[[], bool] | None = None) -> None:
    """Follow the fleet and check health from this process. The server's hooks call it; so does whoever embeds us.

    `ports`: where the application is served, if not at ROLLCALL_PORT: no worker may be there.
    `is_stopping`: asked by /readyz, for who knows of a stop before it begins.
    """
    if is_stopping is not None:
        app.extensions["rollcall"].lifetime.is_announced = is_stopping
    app.extensions["rollcall"].start(ports)


def end(app: Flask) -> None:
    """This process is to stop: open requests have ROLLCALL_GRACE_S left, then they end with an error of their own."""
    app.extensions["rollcall"].lifetime.end()


def stop(app: Flask) -> None:
    """Stop what `start` started and hand the prober's lease on."""
    app.extensions["rollcall"].stop()
