"""`serve`: settings and schema are checked once, then this process becomes gunicorn."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from app.cli.opened import opened_app
from app.cli.ports import free_port
from app.cli.refusal import Refused
from app.core.errors import StorageUnavailable

if TYPE_CHECKING:
    from app.services.rollcall import Rollcall
    from app.settings import Settings


@click.command()
@click.option("--migrate", is_flag=True, help="Bring Rollcall's own default SQLite file to the present schema first.")
def serve(migrate: bool) -> None:
    """Run the server. SIGTERM lets open requests finish, Ctrl-C does not."""
    from app.settings import ROOT

    _check(migrate)
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py"])


def _check(migrate: bool) -> None:
    """What would otherwise fail once in each serving process. Raises Refused or StorageUnavailable.

    A database that is away is no reason not to start: serving processes serve the last-known fleet, or wait for it
    and say so on /readyz. Only a file of our own that was never used is more likely a mistake.
    """
    with opened_app() as app:
        rollcall: Rollcall = app.extensions["rollcall"]
        settings = rollcall.settings
        free_port(settings.host, settings.port, "choose another one with ROLLCALL_PORT (make run PORT=…).")
        is_own = settings.database_url == settings.default_database_url
        try:
            rollcall.database.check_schema()
        except StorageUnavailable as error:
            if migrate and is_own and error.code == "schema_behind":
                _upgrade()
            elif error.code == "schema_behind" or (is_own and not rollcall.keeping.file.exists):
                raise
            else:
                click.echo(f"{error.message} The server starts and waits for it.", err=True)
        _check_bind(rollcall)
        _keep_places(settings, None if is_own else app.config["SQLALCHEMY_DATABASE_URI"])


def _check_bind(rollcall: Rollcall) -> None:
    """Nobody is let in without a key who does not sit at this machine. Raises Refused.

    Where the database is away there may be keys: then the server answers 503 until it knows.
    """
    from app.services.key_book import KeyBook
    from app.settings import is_loopback

    settings = rollcall.settings
    if is_loopback(settings.host) or settings.admin_key:
        return
    with suppress(StorageUnavailable):
        if not KeyBook(rollcall.database, settings).count_ever():
            raise Refused(
                f"ROLLCALL_HOST is {settings.host!r} and there is no API key: make one with `manage.py key create "
                "--scope admin`, set ROLLCALL_ADMIN_KEY, or listen on 127.0.0.1."
            )


def _keep_places(settings: Settings, database_url: str | None) -> None:
    """Relative paths were meant from where the operator stands, and gunicorn stands in the project's folder."""
    os.environ["ROLLCALL_VAR"] = str(settings.var)
    if database_url is not None:
        os.environ["DATABASE_URL"] = database_url


def _upgrade() -> None:
    from flask_migrate import upgrade

    with opened_app(migrations=True) as app, app.app_context():
        upgrade()
