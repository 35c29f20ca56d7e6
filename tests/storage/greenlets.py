"""Run as a program under gevent: a writer waits for another greenlet of its own process. Prints "both"."""

from __future__ import annotations

import gevent
from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

    import sys

    from gevent.event import Event
    from sqlalchemy import create_engine

    from app.storage import revision
    from app.storage.database import Database, engine_options

    url = sys.argv[1]
    database = Database(create_engine(url, **engine_options(url)))
    held = Event()

    def hold() -> None:
        with database.write() as tx:
            revision.bump(tx)
            held.set()
            # The waiter runs only now. If its wait stopped the process, this greenlet could never let go.
            gevent.sleep(0.1)

    def wait() -> None:
        held.wait()
        with database.write() as tx:
            revision.bump(tx)

    gevent.joinall([gevent.spawn(wait), gevent.spawn(hold)], raise_error=True)
    with database.read() as tx:
        print({2: "both"}.get(revision.current(tx)))
