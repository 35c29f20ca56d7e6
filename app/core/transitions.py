"""Every way in which a verdict on a worker changes, as one table; docs/reliability.md prints it.

Two machines share it. The probes' verdict is one for all processes and stored (unknown, up, down). The live verdict
is each serving process's own, in memory, from the calls that it makes itself (the other states).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

LiveState = Literal["closed", "benched", "ejected", "half-open", "backing off"]
LiveEvent = Literal["success", "failure", "refused", "backpressure"]


@dataclass(frozen=True, slots=True)
class Transition:
    state: str
    event: str
    after: str
    why: str


_PROBES = (
    ("unknown", "success", "up", "where nothing is known, one answer is enough"),
    ("unknown", "failure", "unknown", "it keeps the benefit of the doubt"),
    ("unknown", "enough failures", "down", "`fall` in a row"),
    ("unknown", "nothing said", "unknown", "429, or a busy worker that takes connections only"),
    ("up", "success", "up", "as expected"),
    ("up", "failure", "up", "one proves nothing; the next probe comes after 0.5 s"),
    ("up", "enough failures", "down", "`fall` in a row"),
    ("up", "mass failure", "up", "half or more of at least 4 fail in one sweep: the network is to blame"),
    ("up", "nothing said", "up", "429, or a busy worker that takes connections only"),
    ("down", "success", "down", "one proves nothing; the next probe comes after 0.5 s"),
    ("down", "enough successes", "up", "`rise` in a row; slow start"),
    ("down", "failure", "down", "asked less and less often"),
    ("down", "nothing said", "down", "429, or a busy worker that takes connections only"),
)
_LIVE = (
    ("closed", "success", "closed", "failures are counted anew"),
    ("closed", "failure", "closed", "counted; calls that end in one crash count once"),
    ("closed", "enough failures", "ejected", "3 in a row: out for 30 s × times ejected, 300 s at most"),
    ("closed", "refused", "benched", "nothing listens there; no failure, for nothing was lost"),
    (
        "closed",
        "backpressure",
        "backing off",
        "429, 503, 529: no failure; out until its Retry-After; where it names none, 1 s unless nobody else is left",
    ),
    ("benched", "time over", "closed", "another look costs next to nothing"),
    ("benched", "success", "closed", "asked in need, it answered"),
    ("benched", "failure", "benched", "asked in need, in vain"),
    ("benched", "refused", "benched", "still nothing listens; the time begins anew"),
    ("benched", "backpressure", "backing off", "it is there, and busy"),
    ("ejected", "time over", "half-open", "time for a trial"),
    ("ejected", "success", "half-open", "asked in need, or because half of its pool is out already, it answered"),
    ("ejected", "failure", "ejected", "asked in need, in vain"),
    ("ejected", "refused", "ejected", "asked in need, in vain"),
    ("ejected", "backpressure", "ejected", "asked in need, in vain"),
    ("half-open", "success", "half-open", "one trial at a time"),
    ("half-open", "enough successes", "closed", "2 trials succeeded; slow start"),
    ("half-open", "failure", "ejected", "for longer than the time before"),
    ("half-open", "refused", "half-open", "nothing listens there; no trial for as long as it were benched"),
    ("half-open", "backpressure", "half-open", "no trial until its Retry-After"),
    ("backing off", "time over", "closed", "it has had its pause"),
    ("backing off", "success", "backing off", "a call that was open ended well; the pause stands"),
    ("backing off", "failure", "backing off", "counted"),
    ("backing off", "refused", "backing off", "the pause stands"),
    ("backing off", "backpressure", "backing off", "the longer pause stands"),
)
_FORGOTTEN = (
    ("any live state", "new verdict", "closed", "the probes know better now; from down to up: slow start"),
    ("any live state", "registered anew", "closed", "an operator changed or enabled it"),
)

TRANSITIONS: Final = tuple(Transition(*row) for row in (*_PROBES, *_LIVE, *_FORGOTTEN))
AFTER: Final = {(row.state, row.event): row.after for row in TRANSITIONS}
