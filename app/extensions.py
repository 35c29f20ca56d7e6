"""The Flask extensions, bound to an application by `app.create_app`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flask_sqlalchemy import SQLAlchemy

from app.storage.models import Base

if TYPE_CHECKING:
    from flask import Flask

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

# The models are plain SQLAlchemy on `Base`; the extension brings the engine and the metadata that migrations compare.
db = SQLAlchemy(model_class=Base)


def bind_migrations(app: Flask) -> None:
    """`flask db …` for an application that `db` is bound to. Only here is Alembic loaded."""
    from flask_migrate import Migrate

    Migrate(app, db, directory=str(MIGRATIONS), render_as_batch=True)
