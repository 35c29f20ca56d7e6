"""A world of jobs for each test: on both databases, or where the database makes no difference on SQLite alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.storage.database import Database
from tests.databases import opened
from tests.services.job_rig import World


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


@pytest.fixture
def sqlite_world(sqlite_url: str, tmp_path: Path) -> World:
    return World(opened(sqlite_url), tmp_path)
