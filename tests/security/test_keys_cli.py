"""`manage.py key`, and the commands that show a key to a server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.attach.child import Child
from app.cli.server import Declined, Server
from tests.api.callers import served
from tests.api.management import Api, management
from tests.cli.conftest import manage
from tests.cli.operating import Manage, done, refused

__all__ = ["manage"]

KEY = re.compile(r"rck_[0-9a-f]{12}_[0-9a-f]{48}")


def test_the_key_stands_alone_on_the_last_line(manage: Manage) -> None:
    result = manage("key", "create", "--scope", "infer", "--expires", "90d", "--name", "me")
    assert result.exit_code == 0
    assert KEY.fullmatch(result.stdout.splitlines()[-1])
    assert result.stdout.count("\n") == 1
    assert "shown only now" in result.stderr
    assert not KEY.search(result.stderr)


def test_listing_never_shows_a_key(manage: Manage) -> None:
    assert done(manage("key", "list")).startswith("There is no API key")
    text = manage("key", "create", "--scope", "read,infer", "--models", "a, b", "--rpm", "60").stdout.strip()
    (row,) = json.loads(done(manage("key", "list", "--json")))
    assert text.startswith(f"rck_{row['key']}_")
    assert (row["scopes"], row["models"], row["rpm"]) == (["infer", "read"], ["a", "b"], 60)
    assert (row["status"], row["last_used_at"], row["expires_at"]) == ("good", None, None)
    for listed in (done(manage("key", "list")), done(manage("key", "list", "--json"))):
        assert text.rpartition("_")[2] not in listed


def test_a_key_is_revoked_by_its_prefix(manage: Manage) -> None:
    prefix = manage("key", "create", "--scope", "admin", "--name", "old\x1b[2J").stdout.split("_")[1]
    told = done(manage("key", "revoke", prefix))
    assert f"{prefix} (old" in told
    assert "\x1b" not in told + done(manage("key", "list"))
    (row,) = json.loads(done(manage("key", "list", "--json")))
    assert row["status"] == "revoked"
    assert "revoked already" in refused(manage("key", "revoke", prefix))
    assert "no API key" in refused(manage("key", "revoke", "ffffffffffff"))


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--scope", "root"],
        ["--scope", ""],
        ["--scope", "infer", "--models", ","],
        ["--scope", "infer", "--owner", "team-a"],
    ],
)
def test_a_key_for_nothing_is_not_made(manage: Manage, wrong: list[str]) -> None:
    assert manage("key", "create", *wrong).exit_code == 2
    assert json.loads(done(manage("key", "list", "--json"))) == []


@pytest.fixture
def server(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[Api, str]]:
    with management(sqlite_url, tmp_path, ROLLCALL_ADMIN_KEY="k" * 20) as api, served(api.app) as url:
        yield api, url


def test_ask_shows_the_key_in_the_environment(manage: Manage, server: tuple[Api, str]) -> None:
    api, url = server
    api.rollcall.fleet.refresh()
    told = manage("ask", "nobody", "hi", "--url", url)
    assert told.exit_code == 1
    assert "ROLLCALL_API_KEY" in told.stderr
    told = manage("ask", "nobody", "hi", "--url", url, ROLLCALL_API_KEY="k" * 20)
    assert "is not registered" in told.stderr


def test_a_server_with_keys_takes_what_shows_one(server: tuple[Api, str]) -> None:
    url = server[1]
    with pytest.raises(Declined) as caught:
        Server(url).call("GET", "/api/server/workers")
    assert caught.value.status == 401
    shown = Server(url, key="k" * 20)
    assert shown.call("GET", "/api/server/workers").body["data"] == []
    shown.show_key("other")
    with pytest.raises(Declined):
        shown.call("GET", "/api/server/workers")


def test_an_attached_command_does_not_see_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROLLCALL_API_KEY", "ROLLCALL_ADMIN_KEY", "ROLLCALL_KEY_PEPPER"):
        monkeypatch.setenv(name, "canary-canary-canary")
    seen = tmp_path / "seen"
    child = Child(["sh", "-c", f"env > {seen}; echo $PORT >> {seen}.port"], 4711)
    child._process.wait(20)
    child.kill()
    assert "canary" not in seen.read_text()
    assert Path(f"{seen}.port").read_text() == "4711\n"
