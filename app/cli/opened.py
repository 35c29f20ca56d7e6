"""The services on the database that the settings name, without a server: what most commands work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.cli.refusal import Refused

if TYPE_CHECKING:
    from flask import Flask

    from app.services.rollcall import Rollcall


@contextmanager
def opened() -> Iterator[Rollcall]:
    """No thread is started; the connections are closed on the way out. Raises Refused for a setting that cannot be."""
    with opened_app() as app:
        yield app.extensions["rollcall"]


@contextmanager
def opened_app(*, migrations: bool = False) -> Iterator[Flask]:
    """The same for what needs the application itself; Alembic is loaded only for `migrations`."""
    from app import create_app

    try:
        app = create_app(migrations=migrations)
    except ValueError as error:  # SettingsError, or a DATABASE_URL that is none: one sentence either way
        raise Refused(str(error)) from error
    try:
        yield app
    finally:
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
