"""Names to addresses, kept and renewed in the background, so that requests do not wait for a name server.

The system tells no lifetime of its answers, so all have the same. A request waits only where there is no answer yet,
for as long as a connection may take, and a moment where the answer is old.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.upstream.failure import SendFailure
from app.upstream.lookup import MAX_THREADS, Address, look_up

LookUp = Callable[[str], tuple[Address, ...]]

# After this an answer is looked up again when it is next used.
FRESH_S = 30.0
# An answer that nobody used for so long is not used before a look-up had a moment: the address may be another's now.
OLD_S = 60.0
MOMENT_S = 0.5
# For how long the last good answer serves while no name server answers, and how often they are asked meanwhile.
KEEP_S = 600.0
RETRY_S = 5.0
# How long a name counts as unknown.
NEGATIVE_S = 2.0
# A look-up that lasts longer is given up and another one begun.
ABANDON_S = 60.0
PRUNE_S = 60.0

NO_SUCH_NAME = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
)
UNKNOWN = "the name of its host cannot be resolved"
INVALID = "the name of its host is not valid"
LATE = "the name of its host cannot be resolved: no name server answered in time"


@dataclass(frozen=True, slots=True)
class Answer:
    """Times are monotonic. `learned`: when a name server gave the addresses; `until`: when it is looked up again."""

    addresses: tuple[Address, ...]
    learned: float
    until: float
    failure: str = UNKNOWN
    away: bool = False  # the last look-up failed without an answer

    def serves(self, now: float) -> bool:
        return bool(self.addresses) and now - self.learned < KEEP_S


@dataclass(slots=True, eq=False)
class Search:
    """A look-up under way: `answer` is there once it is `over`."""

    host: str
    began: float
    over: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None


class Resolver:
    """Thread-safe; takes no lock where the answer is fresh. Its threads start when needed and end when idle."""

    def __init__(self, look_up: LookUp = look_up) -> None:
        self._look_up = look_up
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._running: dict[str, Search] = {}
        self._waiting: deque[Search] = deque()
        self._threads = 0
        self._prune_at = 0.0

    def addresses(self, host: str, wait_s: float) -> tuple[Address, ...]:
        """In the order to try them. Waits `wait_s` at most. Raises SendFailure "dns"."""
        answer = self._answers.get(host)
        now = time.monotonic()
        if answer is None or now >= answer.until:
            answer = self._renewed(host, answer, now, wait_s)
        if not answer.addresses:
            raise SendFailure("dns", answer.failure, sent=False)
        return answer.addresses

    def _renewed(self, host: str, known: Answer | None, now: float, wait_s: float) -> Answer:
        found = self._search(host, now)
        if isinstance(found, Answer):
            return found
        if known is not None and known.serves(now):
            wait_s = 0 if known.away or now - known.learned < OLD_S else min(wait_s, MOMENT_S)
        else:
            known = None
        # Counted from its begin: behind a look-up that hangs, those who come later need not wait again.
        if (left := found.began + wait_s - now) > 0:
            found.over.wait(left)
        return found.answer or known or Answer((), now, now, LATE)

    def _search(self, host: str, now: float) -> Search | Answer:
        """The look-up that all who want this name share."""
        with self._lock:
            answer = self._answers.get(host)
            if answer is not None and now < answer.until:
                return answer
            search = self._running.get(host)
            if search is not None and now - search.began < ABANDON_S:
                return search
            search = self._running[host] = Search(host, now)
            self._waiting.append(search)
            if self._threads >= MAX_THREADS:
                return search
            self._threads += 1
        self._start()
        return search

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="rollcall-names", daemon=True).start()
        except RuntimeError:  # no thread to be had: the next search tries again
            with self._lock:
                self._threads -= 1

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                search = self._waiting.popleft()
                if self._running.get(search.host) is not search:
                    continue  # given up while it waited for a thread
            try:
                addresses, error = self._look_up(search.host), None
            except Exception as caught:
                addresses, error = (), caught
            self._settle(search, addresses, error)

    def _settle(self, search: Search, addresses: tuple[Address, ...], error: Exception | None) -> None:
        now = time.monotonic()
        with self._lock:
            if self._running.get(search.host) is not search:
                return  # given up
            del self._running[search.host]
            if addresses:
                answer = Answer(addresses, now, now + FRESH_S)
            else:
                answer = _without(self._answers.get(search.host), error, now)
            self._answers[search.host] = search.answer = answer
            self._prune(now)
        search.over.set()

    def _prune(self, now: float) -> None:
        """Forget names that nobody asks for any more."""
        if now >= self._prune_at:
            self._prune_at = now + PRUNE_S
            self._answers = {host: answer for host, answer in self._answers.items() if now < answer.until + KEEP_S}


def _without(known: Answer | None, error: Exception | None, now: float) -> Answer:
    """What holds after a look-up that gave no address: a clear no counts, silence leaves the last good answer."""
    invalid = isinstance(error, UnicodeError)
    clear = invalid or error is None or (isinstance(error, OSError) and error.errno in NO_SUCH_NAME)
    if known is not None and known.serves(now) and not clear:
        return replace(known, until=now + RETRY_S, away=True)
    return Answer((), now, now + NEGATIVE_S, INVALID if invalid else UNKNOWN)
