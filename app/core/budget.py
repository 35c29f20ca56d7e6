"""How many calls may be made again: a share of the requests that came lately, so that retries cannot become the load.

Time goes in here as `now`, monotonic seconds.
"""

from __future__ import annotations

WINDOW_S = 10


class RetryBudget:
    """In the last WINDOW_S seconds at most `share` (0 to 1) of the requests, and always `floor`.

    A failure that reached no worker needs nothing of it: asking another one then is no load beside the request's own.
    """

    def __init__(self, share: float, floor: int) -> None:
        self._share = share
        self._floor = floor
        self._seconds = [-WINDOW_S] * WINDOW_S
        self._requests = [0] * WINDOW_S
        self._retries = [0] * WINDOW_S

    def asked(self, now: float) -> None:
        """A request came. Safe between threads, in that a count that is lost now and then hurts nobody."""
        second = int(now)
        place = second % WINDOW_S
        if self._seconds[place] != second:
            self._begin(place, second)
        self._requests[place] += 1

    def take(self, now: float) -> bool:
        """May one more call be made again? Then it counts. For one thread at a time, as `give_back`."""
        second = int(now)
        place = second % WINDOW_S
        recent = [here for here in range(WINDOW_S) if second - self._seconds[here] < WINDOW_S]
        requests = sum(self._requests[here] for here in recent)
        if sum(self._retries[here] for here in recent) >= max(self._floor, int(requests * self._share)):
            return False
        if self._seconds[place] != second:
            self._begin(place, second)
        self._retries[place] += 1
        return True

    def give_back(self, now: float) -> None:
        """What was taken at `now` was not needed."""
        place = int(now) % WINDOW_S
        if self._seconds[place] == int(now) and self._retries[place]:
            self._retries[place] -= 1

    def _begin(self, place: int, second: int) -> None:
        self._requests[place] = self._retries[place] = 0
        self._seconds[place] = second
