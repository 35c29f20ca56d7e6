"""API keys in memory: who is let in, when that changes, and what it costs."""

from __future__ import annotations

import hmac
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import api_keys
from app.core.api_keys import Key, Scope, digest_of, prefix_of, presented_in, written
from app.core.errors import Conflict, NotFound, NotReady, StorageUnavailable
from app.services import keys as keys_module
from app.services.kept_keys import FILE, KeptKeys
from app.services.key_book import KeyBook, Wanted
from app.services.keys import Keys
from app.settings import Settings
from app.storage import revision
from app.storage.database import Database

ADMIN = "an-admin-key-for-containers"
INFER = Wanted(frozenset({"infer"}))
_FOLDERS = tempfile.TemporaryDirectory(prefix="rollcall-keys-")


@pytest.fixture
def book(database: Database) -> KeyBook:
    return KeyBook(database, Settings())


def following(database: Database, **settings: Any) -> Keys:
    """As in a process that is served: `look` is what the fleet's watcher does."""
    return Keys(database, Settings(**{"var": nowhere(), **settings}))


def nowhere() -> Path:
    """A folder of its own, that is empty."""
    return Path(tempfile.mkdtemp(dir=_FOLDERS.name))


def look(keys: Keys, database: Database) -> None:
    with database.read() as tx:
        keys.follow(tx, revision.current(tx))


def test_a_key_is_let_in_until_it_is_revoked(database: Database, book: KeyBook) -> None:
    keys = following(database)
    text, made = book.create(INFER)
    look(keys, database)
    assert keys.check(text) == made
    assert keys.check(text[:-1] + ("0" if text[-1] != "0" else "1")) is None
    (revoked,) = book.revoke([made.prefix])
    assert revoked.revoked_at is not None
    look(keys, database)
    assert keys.check(text) is None
    with pytest.raises(Conflict):
        book.revoke([text])


def test_nobody_is_half_revoked(database: Database, book: KeyBook) -> None:
    keys = following(database)
    text, made = book.create(INFER)
    with pytest.raises(NotFound) as caught:
        book.revoke([made.prefix, "ffffffffffff" + "5ec2e7" * 8])
    assert "5ec2e7" not in caught.value.message
    look(keys, database)
    assert keys.check(text) is not None


def test_a_key_ends_by_itself(database: Database, book: KeyBook, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = following(database)
    text, made = book.create(Wanted(frozenset({"infer"}), lasts_s=60.0))
    look(keys, database)
    assert keys.check(text) == made
    began = keys_module.time.monotonic()
    monkeypatch.setattr(keys_module.time, "time", lambda: 9e12)  # the wall clock decides nothing
    assert keys.check(text) == made
    monkeypatch.setattr(keys_module.time, "monotonic", lambda: began + 61)
    assert keys.check(text) is None


@pytest.mark.parametrize(("host", "is_open"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_without_any_key_only_loopback_is_open(database: Database, book: KeyBook, host: str, is_open: bool) -> None:
    keys = following(database, host=host)
    look(keys, database)
    assert keys.is_open() is is_open
    assert keys.check("") is None


def test_a_last_key_that_is_revoked_does_not_open_the_door(database: Database, book: KeyBook) -> None:
    keys = following(database)
    _, made = book.create(INFER)
    look(keys, database)
    assert not keys.is_open()
    book.revoke([made.prefix])
    look(keys, database)
    assert not keys.is_open()


def test_the_admin_key_of_the_environment_needs_no_row(database: Database) -> None:
    keys = following(database, admin_key=ADMIN)
    look(keys, database)
    assert not keys.is_open()
    admin = keys.check(ADMIN)
    assert admin is not None
    assert admin.may(["read"])
    assert admin.may(["infer"])
    assert keys.check(ADMIN + "x") is None
    assert keys.check("") is None


def test_not_knowing_is_not_none(sqlite_url: str, tmp_path: Path) -> None:
    """A process that serves never asks the database on the request path: it waits until it knows."""
    from tests.databases import opened

    keys = following(opened(f"sqlite:///{tmp_path}/away/x.db"), admin_key=ADMIN)
    with pytest.raises(StorageUnavailable):
        keys.is_open()
    keys.start()
    try:
        with pytest.raises(NotReady):
            keys.is_open()
    finally:
        keys.stop()


def test_a_database_that_goes_away_changes_nothing(database: Database, book: KeyBook) -> None:
    keys = following(database)
    text, made = book.create(INFER)
    look(keys, database)
    keys.start()
    try:
        keys._database = None  # type: ignore[assignment]
        assert not keys.is_open()
        assert keys.check(text) == made
        keys._used.clear()
    finally:
        keys.stop()


def test_the_last_known_keys_count_while_the_database_is_away(
    database: Database, book: KeyBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place: dict[str, Any] = {"var": tmp_path}
    (text, made), (brief, _) = book.create(INFER), book.create(Wanted(frozenset({"read"}), lasts_s=60.0))
    _, revoked = book.create(INFER)
    book.revoke([revoked.prefix])
    first = following(database, **place)
    look(first, database)
    first.start()
    first.stop()
    kept = (tmp_path / FILE).read_text()
    assert text.rpartition("_")[2] not in kept
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0

    later = following(database, **place)
    later.start()
    try:
        assert not later.is_open()
        assert later.check(text) == made
        assert later.check(brief) is not None
        book.revoke([made.prefix])
        look(later, database)
        assert later.check(text) is None
    finally:
        later.stop()
    assert made.prefix not in (tmp_path / FILE).read_text()

    now = time.time()
    monkeypatch.setattr(keys_module.time, "time", lambda: now + 61)
    too_late = following(database, **place)
    too_late.start()
    assert too_late.check(brief) is None
    too_late.stop()


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"version": 1}', "another database"])
def test_a_file_that_is_none_of_ours_says_nothing(database: Database, book: KeyBook, tmp_path: Path, kept: str) -> None:
    if kept == "another database":
        KeptKeys(tmp_path, "sqlite:///other").save([], any_ever=False)
    else:
        (tmp_path / FILE).write_text(kept)
    keys = following(database, var=tmp_path)
    keys.start()
    try:
        with pytest.raises(NotReady):
            keys.is_open()
    finally:
        keys.stop()


def test_a_stolen_table_is_of_no_use(database: Database, book: KeyBook) -> None:
    text, made = book.create(INFER)
    with database.read() as tx:
        rows = str(tx.connection().exec_driver_sql("SELECT * FROM api_key").all())
    assert made.prefix in rows
    assert text.rpartition("_")[2] not in rows
    assert text not in repr(made)
    assert made.digest.hex() not in repr(made)
    peppered = following(database, key_pepper="pepper")
    look(peppered, database)
    assert peppered.check(text) is None
    other, again = KeyBook(database, Settings(key_pepper="pepper")).create(INFER)
    look(peppered, database)
    assert peppered.check(other) == again


def test_last_uses_are_written_later_and_tell_nobody(database: Database, book: KeyBook) -> None:
    keys = following(database)
    text, _ = book.create(INFER)
    look(keys, database)
    with database.read() as tx:
        before = revision.current(tx)
    keys.check("rck_nobody")
    keys.write_uses()
    assert book.all()[0][0].last_used_at is None
    keys.check(text)
    keys.write_uses()
    (key,), now = book.all()
    assert key.last_used_at == pytest.approx(now, abs=5)
    with database.read() as tx:
        assert revision.current(tx) == before


def test_uses_that_could_not_be_written_are_kept(database: Database, book: KeyBook, tmp_path: Path) -> None:
    from tests.databases import opened

    keys = following(database)
    text, _ = book.create(INFER)
    look(keys, database)
    keys.check(text)
    keys._database = opened(f"sqlite:///{tmp_path}/away/x.db")
    with pytest.raises(StorageUnavailable):
        keys.write_uses()
    keys._database = database
    keys.write_uses()
    assert book.all()[0][0].last_used_at is not None


class Counted:
    def __init__(self, real: Any) -> None:
        self._real, self.count = real, 0

    def __call__(self, *given: Any) -> Any:
        self.count += 1
        return self._real(*given)


@pytest.mark.parametrize("wrong", ["", "x", "rck_", "known prefix", "unknown prefix", "x" * 8000, "\udcff", "é"])
def test_a_wrong_key_costs_what_a_right_one_costs(
    database: Database, book: KeyBook, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """Counted, not timed: one hash of all that was shown and two comparisons that do not stop early."""
    keys = following(database, admin_key=ADMIN)
    text, _ = book.create(INFER)
    look(keys, database)
    shown = {"known prefix": text[:-8] + "00000000", "unknown prefix": written(b"\1" * 6, b"\2" * 24)}.get(wrong, wrong)
    hashed, compared = Counted(hmac.digest), Counted(hmac.compare_digest)
    monkeypatch.setattr(api_keys.hmac, "digest", hashed)
    monkeypatch.setattr(keys_module, "compare_digest", compared)
    costs = []
    for each in (text, shown, ADMIN):
        keys.check(each)
        costs.append((hashed.count, compared.count))
        hashed.count = compared.count = 0
    assert costs == [(1, 2)] * 3


def test_what_a_stranger_sends_never_reaches_the_database(database: Database, book: KeyBook) -> None:
    """CVE-2026-42208 (LiteLLM): SQL built from an unauthenticated key."""
    keys = following(database)
    book.create(INFER)
    look(keys, database)
    keys._database = None  # type: ignore[assignment]
    for text in ("' OR 1=1 --", "rck_' OR '1'='1_", "rck_%_%", "\0", "rck_" + "0" * 12 + "_" + "' OR 1=1" * 6):
        assert keys.check(text) is None


def test_nothing_of_a_key_is_logged(database: Database, book: KeyBook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keys = following(database)
    text, _ = book.create(INFER)
    look(keys, database)
    keys.check(text)
    keys.check(text + "x")
    keys.write_uses()
    assert text.rpartition("_")[2] not in caplog.text


@given(st.binary(min_size=6, max_size=6), st.binary(min_size=24, max_size=24), st.text(max_size=5))
def test_a_key_is_found_by_its_prefix_and_by_nothing_else(name: bytes, secret: bytes, more: str) -> None:
    text = written(name, secret)
    assert prefix_of(text) == name.hex()
    if more:
        assert prefix_of(text + more) == prefix_of(more + text) == ""


@given(st.text(), st.text())
def test_any_text_has_a_digest(text: str, pepper: str) -> None:
    assert len(digest_of(text, pepper)) == 32


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "shown"),
    [
        ("Bearer k", "", "k"),
        ("bearer   k ", "", "k"),
        ("BEARER k", "other", "k"),
        ("Basic dXNlcg==", "k", "k"),
        ("", " k ", "k"),
        ("Bearer ", "k", "k"),
        ("k", "", ""),
        ("Bearerk", "", ""),
        ("", "", ""),
    ],
)
def test_where_the_key_is(authorization: str, x_api_key: str, shown: str) -> None:
    assert presented_in(authorization, x_api_key) == shown


def of(*scopes: Scope) -> Key:
    return Key(1, "p", b"", "", frozenset(scopes), 0.0)


def test_admin_has_every_scope_and_the_others_have_their_own() -> None:
    assert of("admin").may(["infer"])
    assert of("admin").may(["read"])
    assert of("infer").may(["infer", "read"])
    assert not of("infer").may(["read"])
    assert not of("read").may(["infer"])
    assert not of("infer", "read").may(["admin"])
    assert of("infer").may([])
