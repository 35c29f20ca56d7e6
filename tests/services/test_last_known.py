"""The last-known fleet: written by one, readable with the key alone, and what a process makes of it that finds it."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.core.worker import Worker
from app.services import last_known
from app.services.expiry import Expiry
from app.services.fleet import Fleet
from app.services.keeping import Keeping
from app.services.last_known import FILE, KEY_FILE, LastKnown
from app.services.snapshot import Snapshot
from app.settings import Settings
from app.storage import workers
from app.storage.database import Database
from tests.databases import opened
from tests.services.test_fleet import Observed, add, change
from tests.serving import wait_for

CANARY = "canary-credential-7"


@pytest.fixture
def observed(sqlite_url: str) -> Observed:
    return Observed(opened(sqlite_url))


class Process:
    """What keeps and remembers in one serving process; `folder` is its var/."""

    def __init__(self, observed: Observed, folder: Path, database: str = "sqlite:///here", **settings: Any) -> None:
        self.told: list[tuple[Worker | None, Worker | None]] = []
        self.file = LastKnown(Settings(var=folder, **settings), database)
        self.fleet = Fleet(
            observed,  # type: ignore[arg-type]
            60.0,
            lambda old, new: self.told.append((old, new)),
            self.file.load,
        )
        self.keeping = Keeping(self.fleet, self.file, folder)

    def boot(self) -> Fleet:
        self.fleet.start()
        self.fleet.stop()
        return self.fleet


@pytest.fixture
def begin(observed: Observed, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    begun: list[Process] = []

    def one(**settings: Any) -> Process:
        begun.append(Process(observed, tmp_path / "var", **settings))
        return begun[-1]

    yield one
    for process in begun:
        process.keeping.stop()


def texts(snapshot: Snapshot) -> list[Worker]:
    return sorted(snapshot.workers.values(), key=lambda worker: worker.id)


def test_a_process_that_boots_without_the_database_knows_all_that_was_known(
    observed: Observed, begin: Callable[..., Process], caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(450):
        add(observed, f"m{number % 7}", f"http://w/{number}")
    change(observed, lambda tx, now: workers.set_admin(tx, 3, "offline", now))
    first = begin()
    first.boot()
    first.keeping.look()
    observed.away = True
    second = begin().boot()
    known = second.snapshot()
    assert (known.revision, known.count) == (first.fleet.snapshot().revision, 450)
    assert texts(known) == texts(first.fleet.snapshot())
    assert {name: pool.workers for name, pool in known.pools.items()} == {
        name: pool.workers for name, pool in first.fleet.snapshot().pools.items()
    }
    assert second.pool("nobody") is None
    assert "450 workers, as of" in caplog.text


def test_a_verdict_stays_as_it_was(observed: Observed, begin: Callable[..., Process]) -> None:
    """As for a process that lived on: who was down gets no traffic, until the prober says otherwise."""
    add(observed, "m", "http://1/")
    add(observed, "m", "http://2/")
    change(
        observed,
        lambda tx, now: tx.connection().exec_driver_sql("UPDATE worker_health SET probe='down' WHERE worker_id=1"),
    )
    first = begin()
    first.boot()
    first.keeping.look()
    observed.away = True
    pool = begin().boot().snapshot().pools["m"]
    assert [worker.health.probe for worker in pool.workers] == ["down", "unknown"]
    assert set(pool.eligible) == {2}


def test_the_database_is_read_whole_as_soon_as_it_is_back(observed: Observed, begin: Callable[..., Process]) -> None:
    """Its revision may be the same and yet mean other rows: a backup was put back meanwhile."""
    kept, gone = add(observed, "m", "http://1/"), add(observed, "m", "http://2/")
    first = begin()
    first.boot()
    first.keeping.look()
    observed.away = True
    process = begin()
    fleet = process.boot()
    assert fleet.loaded is None
    observed.away = False
    change(observed, lambda tx, now: tx.connection().exec_driver_sql("DELETE FROM worker WHERE id = 2"))
    fleet.refresh()
    assert [worker.id for worker in texts(fleet.snapshot())] == [kept.id]
    assert fleet.loaded is fleet.snapshot()
    assert (gone.id, None) in [(old and old.id, new and new.id) for old, new in process.told]


def test_nobody_expires_while_nobody_can_renew_and_who_was_expired_stays_so(
    observed: Observed, begin: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(observed, "m", "http://1/")
    add(observed, "m", "http://2/")
    change(observed, lambda tx, now: tx.connection().exec_driver_sql("UPDATE worker SET ttl_s=1, expires_at=9"))
    monkeypatch.setattr(Expiry, "look", lambda self: frozenset({2}))
    first = begin()
    first.boot()
    first.keeping.look()
    observed.away = True
    known = begin().boot().snapshot()
    assert known.expired == {2}
    assert [worker.expired for worker in texts(known)] == [False, True]


def test_nothing_in_the_folder_is_readable_without_the_key(
    observed: Observed, begin: Callable[..., Process], tmp_path: Path
) -> None:
    add(observed, "secret-model", f"http://user:{CANARY}@w/")
    process = begin()
    process.boot()
    process.keeping.look()
    files = [path for path in (tmp_path / "var").iterdir() if path.is_file()]
    assert {path.name for path in files} >= {FILE, KEY_FILE}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        raw = path.read_bytes()
        assert CANARY.encode() not in raw
        assert b"secret-model" not in raw
        assert b"sqlite" not in raw


def test_keys_of_the_settings_leave_no_file_and_can_be_changed(
    observed: Observed, begin: Callable[..., Process], tmp_path: Path
) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    add(observed)
    first = begin(secret_key=(old,))
    first.boot()
    first.keeping.look()
    assert not (tmp_path / "var" / KEY_FILE).exists()
    observed.away = True
    assert begin(secret_key=(new, old)).boot().ready
    assert not begin(secret_key=(new,)).boot().ready


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "line lost", "no key", "other database", "other version"])
def test_what_cannot_be_used_is_none_and_says_so(
    observed: Observed,
    begin: Callable[..., Process],
    tmp_path: Path,
    harm: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add(observed)
    process = begin()
    process.boot()
    process.keeping.look()
    path = tmp_path / "var" / FILE
    raw = path.read_bytes()
    if harm == "no key":
        (tmp_path / "var" / KEY_FILE).write_text("not a key")
    elif harm == "other version":
        monkeypatch.setattr(last_known, "_NAMES", [*last_known._NAMES, "more"])
    harmed = {
        "cut": raw[: len(raw) // 2],
        "flipped": raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:],
        "empty": b"",
        "line lost": raw.split(b"\n")[0],
    }
    path.write_bytes(harmed.get(harm, raw))
    observed.away = True
    other = begin(database="sqlite:///elsewhere") if harm == "other database" else begin()
    assert not other.boot().ready
    assert "cannot be used" in caplog.text


def test_one_process_writes_and_the_next_when_it_ends(observed: Observed, begin: Callable[..., Process]) -> None:
    add(observed)
    first, second = begin(), begin()
    for process in (first, second):
        process.boot()
        process.keeping.look()
    add(observed, "n")
    second.fleet.refresh()
    second.keeping.look()
    assert first.file.load().count == 1  # type: ignore[union-attr]
    first.keeping.stop()
    second.keeping.look()
    assert first.file.load().count == 2  # type: ignore[union-attr]


def test_it_is_written_when_something_changed_and_then_only(observed: Observed, begin: Callable[..., Process]) -> None:
    add(observed)
    process = begin()
    process.boot()
    saved: list[int] = []
    process.keeping.file.save = lambda snapshot: saved.append(snapshot.revision)  # type: ignore[method-assign]
    for _ in range(3):
        process.fleet.refresh()
        process.keeping.look()
    add(observed, "n")
    process.fleet.refresh()
    process.keeping.look()
    assert len(saved) == 2


def test_what_was_remembered_is_not_written_back(observed: Observed, begin: Callable[..., Process]) -> None:
    add(observed)
    first = begin()
    first.boot()
    first.keeping.look()
    first.keeping.stop()
    observed.away = True
    second = begin()
    second.boot()
    before = os.stat(second.file._path).st_mtime_ns
    second.keeping.look()
    assert os.stat(second.file._path).st_mtime_ns == before


def test_a_folder_that_takes_nothing_is_said_once_and_tried_again(
    observed: Observed, begin: Callable[..., Process], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    add(observed)
    (tmp_path / "var").write_text("a file where a folder belongs")
    process = begin()
    process.boot()
    for _ in range(3):
        process.keeping.look()
    assert caplog.text.count("cannot be written") == 1
    (tmp_path / "var").unlink()
    process.keeping.look()
    assert process.file.load() is not None


def test_it_is_kept_by_a_thread(observed: Observed, begin: Callable[..., Process], monkeypatch: Any) -> None:
    monkeypatch.setattr("app.services.keeping.PAUSE_S", 0.01)
    add(observed)
    process = begin()
    process.boot()
    process.keeping.start()
    wait_for("the file", lambda: process.file.exists)


def test_the_address_of_a_database_has_no_password(tmp_path: Path) -> None:
    database: Database = opened("postgresql://me:hunter2@/db")
    assert "hunter2" not in database.address
