"""What DATABASE_URL may say."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.storage.database import normalise_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_means_psycopg_3(scheme: str) -> None:
    url = make_url(normalise_url(f"{scheme}://me:p%40ss%2Fword@db.example:5433/rollcall?sslmode=require"))
    assert url.drivername == "postgresql+psycopg"
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "me",
        "p@ss/word",
        "db.example",
        5433,
        "rollcall",
    )
    assert url.query == {"sslmode": "require"}


def test_a_relative_file_is_below_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert normalise_url("sqlite:///var/r.db") == f"sqlite:///{tmp_path}/var/r.db"
    assert normalise_url("sqlite:////srv/r.db") == "sqlite:////srv/r.db"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "rollcall.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "mysql://me:hunter2@db/x",
        "postgresql+psycopg2://me:hunter2@db/x",
        "postgresql://me:hunter2@db:port/x",
    ],
)
def test_anything_else_is_one_sentence_that_names_the_setting(url: str) -> None:
    with pytest.raises(ValueError, match="DATABASE_URL") as caught:
        normalise_url(url)
    assert "hunter2" not in str(caught.value)
