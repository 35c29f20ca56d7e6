"""Who may call, as this process knows it: every API key in memory, followed like the fleet. No SQL in a check."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from hmac import compare_digest
from math import inf

from app.core.api_keys import Key, digest_of, prefix_of
from app.core.errors import NotReady, StorageUnavailable
from app.services.hosts import BEAT_S
from app.services.kept_keys import KeptKeys
from app.services.key_limits import KeyLimits
from app.services.known_keys import NOBODY, Known, view
from app.settings import Settings, is_loopback
from app.storage import keys, revision
from app.storage.database import Database, Transaction

log = logging.getLogger(__name__)

WRITE_USES_S = 20.0
LOOK_AGAIN_S = 0.5
_STOP_WAIT_S = 5.0


class Keys:
    """`check` is for the request path. `follow` is called by whoever reads the fleet, in the same transaction."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self.limits = KeyLimits(database, settings.var)
        self._kept = KeptKeys(settings.var, database.address)
        self._pepper = settings.key_pepper
        self._is_private = is_loopback(settings.host)
        digest = digest_of(settings.admin_key, self._pepper)
        self._admin = Key(0, "", digest, "ROLLCALL_ADMIN_KEY", frozenset({"admin"}), 0.0)
        self._has_admin = bool(settings.admin_key)
        self._known: Known | None = None
        self._revision = -1
        self._looked_at = -inf
        self._looking = threading.Lock()
        self._used: dict[int, float] = {}
        self._stopping = threading.Event()
        self._writer: threading.Thread | None = None

    def known(self) -> Known:
        """Raises NotReady while keys are not known, and nobody is let in."""
        if self._known is None:
            raise NotReady("This process has not read the API keys yet; try again in a moment.", retry_after_s=1)
        return self._known

    def is_open(self) -> bool:
        """May everyone call? Only on loopback, and as long as there never was a key.

        Raises NotReady (or StorageUnavailable) while keys are not known: not knowing is not "none".
        """
        if self._writer is None:
            self._look()
        return not self.known().any_ever and self._is_private and not self._has_admin

    def check(self, presented: str) -> Key | None:
        """The key that this is; None: unknown, revoked or expired. One hash and two comparisons, whatever it is."""
        assert self._known is not None
        digest = digest_of(presented, self._pepper)
        entry = self._known.entries.get(prefix_of(presented), NOBODY)
        is_known = compare_digest(digest, entry.key.digest)
        is_admin = compare_digest(digest, self._admin.digest)
        now = time.monotonic()
        if is_admin and self._has_admin:
            return self._admin
        if not is_known or now >= entry.until:
            return None
        self._used[entry.key.id] = now
        return entry.key

    def follow(self, tx: Transaction, number: int) -> None:
        """See every change of keys that `tx` sees; `number` is the revision, read in it before."""
        if self._known is not None and self._revision == number:
            return
        newest = keys.newest(tx)
        if self._known is None or self._known.newest != newest:
            self._load(tx, newest)
        self._revision = number

    def _load(self, tx: Transaction, newest: int) -> None:
        found = keys.find_all(tx)
        self._known = view(found, self._database.now(tx), newest, any_ever=bool(found))
        if self._writer is not None:
            self._kept.save(self._known.keys, any_ever=self._known.any_ever)

    def start(self) -> None:
        """Right after this somebody calls `follow`, and goes on. A thread writes last uses, and shares limits with
        other hosts.

        Until the database has been read the last-known keys count, as the last-known fleet serves.
        """
        if self._known is not None:
            self._kept.save(self._known.keys, any_ever=self._known.any_ever)
        elif (kept := self._kept.load()) is not None:
            self._known = view(kept[0], time.time(), -1, any_ever=kept[1])
        self._stopping.clear()
        self._writer = threading.Thread(target=self._keep, name="rollcall-keys", daemon=True)
        self._writer.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._writer is not None:
            self._writer.join(_STOP_WAIT_S)
            self._writer = None

    def write_uses(self) -> None:
        """Put down when keys were used last. Raises StorageUnavailable; the uses are then written the next time."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            with self._database.write() as tx:
                now, here = self._database.now(tx), time.monotonic()
                keys.touch(tx, {key_id: now - (here - at) for key_id, at in list(used.items())})
        except StorageUnavailable:
            self._used = used | self._used
            raise

    def _keep(self) -> None:
        due = time.monotonic() + WRITE_USES_S
        while True:
            self._carefully(self._beat)
            is_over = self._stopping.wait(BEAT_S)
            if is_over or time.monotonic() >= due:
                self._carefully(self.write_uses)
                due = time.monotonic() + WRITE_USES_S
            if is_over:
                return

    def _beat(self) -> None:
        if self._known is not None and (limited := self._known.limited):
            self.limits.beat(limited)

    def _carefully(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StorageUnavailable as error:
            log.debug("Keys are not kept up: %s", error)
        except Exception:
            log.exception("Keys are not kept up")

    def _look(self) -> None:
        """For an application that was never started, and so follows nothing: at most two looks in a second."""
        if time.monotonic() < self._looked_at + LOOK_AGAIN_S:
            return
        with self._looking:
            try:
                with self._database.read() as tx:
                    self.follow(tx, revision.current(tx))
            except StorageUnavailable:
                if self._known is None:
                    raise
            self._looked_at = time.monotonic()
