"""`serve`: settings and schema are checked once, then this process becomes gunicorn."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flask import Flask


@click.command()
@click.option("--migrate", is_flag=True, help="Bring Rollcall's own default SQLite file to the present schema first.")
def serve(migrate: bool) -> None:
    """Run the server. SIGTERM or Ctrl-C lets open requests finish."""
    from app.settings import ROOT

    _check(migrate)
    os.chdir(ROOT)
    os.execv(  # noqa: S606
        sys.executable, [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "app:create_app()"]
    )


def _check(migrate: bool) -> None:
    """Everything that would otherwise fail once in each serving process. Raises SettingsError or SchemaBehind."""
    from app import create_app

    app = create_app()
    rollcall = app.extensions["rollcall"]
    settings = rollcall.settings
    if migrate and settings.database_url == settings.default_database_url:
        _upgrade(app)
    rollcall.database.check_schema()
    os.environ["ROLLCALL_VAR"] = str(settings.var)  # a relative one was meant from where the operator stands


def _upgrade(app: Flask) -> None:
    from flask_migrate import upgrade

    with app.app_context():
        upgrade()
