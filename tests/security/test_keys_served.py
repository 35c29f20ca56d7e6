"""Keys on a server of two processes: they take effect everywhere, at once and without a restart."""

from __future__ import annotations

import http.client
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import StorageUnavailable
from app.services.key_book import KeyBook, Wanted
from app.settings import Settings
from tests.databases import opened
from tests.serving import Server, serving, wait_for

pytestmark = pytest.mark.slow
# Half a second more than promised: the machine is shared, and a request takes its time as well.
AT_ONCE_S = 1.5


def status(server: Server, path: str, key: str | None = None) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("GET", path, headers={} if key is None else {"x-api-key": key})
        return connection.getresponse().status


def statuses(server: Server, key: str | None) -> set[int]:
    """Of so many requests that each process has answered some."""
    return {status(server, "/api/server/workers", key) for _ in range(12)}


def test_the_first_key_turns_the_check_on_and_a_revoked_one_is_out(sqlite_url: str, tmp_path: Path) -> None:
    book = KeyBook(opened(sqlite_url), Settings())
    with serving(sqlite_url, tmp_path / "var") as server:
        assert statuses(server, None) == {200}
        key, made = book.create(Wanted(frozenset({"read"})))
        wait_for("a closed door", lambda: statuses(server, None) == {401}, AT_ONCE_S)
        assert statuses(server, key) == {200}
        book.revoke([made.prefix])
        wait_for("the key to be out", lambda: statuses(server, key) == {401}, AT_ONCE_S)
        assert statuses(server, None) == {401}
        assert {status(server, path) for path in ("/healthz", "/readyz")} == {200}
        assert key.rpartition("_")[2] not in server.log


def test_while_keys_are_not_known_nobody_is_let_in(tmp_path: Path) -> None:
    """No database yet: not knowing is not "none", and on a public address none is nobody."""
    place = tmp_path / "later" / "rollcall.db"
    settings = {"ROLLCALL_ADMIN_KEY": "an-admin-key-of-the-environment"}
    with pytest.raises(StorageUnavailable):
        KeyBook(opened(f"sqlite:///{place}"), Settings()).create(Wanted(frozenset({"read"})))
    url = "postgresql://nobody@127.0.0.1:9/none"
    with _unready(url, tmp_path, settings) as server:
        assert status(server, "/healthz") == 200
        for path in ("/v1/models", "/api/server/workers", "/docs", "/openapi.json", "/nope"):
            assert status(server, path) == 503, path
            assert status(server, path, settings["ROLLCALL_ADMIN_KEY"]) == 503, path


def _unready(url: str, folder: Path, settings: dict[str, str]) -> Any:
    """`serving` waits until the server is ready, and this one never is."""
    from contextlib import contextmanager
    from unittest import mock

    @contextmanager
    def started() -> Any:
        def wait(server: Server) -> None:
            found = wait_for("the address", lambda: "Rollcall listens at http://127.0.0.1:" in server.log)
            assert found
            server.port = int(server.log.partition("listens at http://127.0.0.1:")[2].split()[0])
            wait_for("an answer", lambda: _answers(server))

        with mock.patch.object(Server, "wait_until_ready", wait), serving(url, folder / "var", **settings) as server:
            yield server

    return started()


def _answers(server: Server) -> bool:
    try:
        return status(server, "/healthz") == 200
    except OSError:
        return False
