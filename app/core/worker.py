"""A worker: one registered endpoint serving one model. Immutable; a changed worker is a new object.

Operator intent (`admin`) and observed health (`health.probe`) are separate and never overwrite each other.
`standing()` is the one function that answers "may this worker get traffic?".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Admin = Literal["enabled", "draining", "offline"]
Probe = Literal["unknown", "up", "down"]
Status = Literal["available", "down", "unknown", "ejected", "backing_off", "draining", "expired", "offline"]


@dataclass(frozen=True, slots=True)
class Health:
    """What the prober saw. Times are UTC seconds since 1970 of the database's clock; 0 ≤ |streak|.

    `streak` counts consecutive equal results: positive after successes, negative after failures.
    `since` is when `probe` took its present value. `due_at` and `interval_s` say when the next probe is due.
    """

    probe: Probe = "unknown"
    streak: int = 0
    since: float = 0.0
    last_probe_at: float | None = None
    last_ok_at: float | None = None
    last_fail_at: float | None = None
    last_error: str | None = None
    due_at: float = 0.0
    interval_s: float = 0.0


UNPROBED = Health()


@dataclass(frozen=True, slots=True)
class Worker:
    """`spec` is the canonical JSON text of the registration's remaining words (see core/registration.py);

    workers registered from one template share one string, and with it one compiled dialect.
    `url` is the registered `req_url_template`. Neither is in the repr: both may hold credentials.
    Times are UTC seconds since 1970.
    `ttl_s`, `expires_at`: a registration that ends unless it is renewed; None: it does not end. Whether it has ended
    is judged by the process that looks (services/expiry.py), never by comparing `expires_at` with a wall clock.
    """

    id: int
    model_name: str
    url: str = field(repr=False)
    instance: str
    owner: str
    worker_type: str
    weight: int
    upstream_model: str | None
    spec: str = field(repr=False)
    admin: Admin
    created_at: float
    updated_at: float
    health: Health = UNPROBED
    ttl_s: int | None = None
    expires_at: float | None = None
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """May this worker get traffic now, under which name is that listed, and why not (empty when it may).

    `left_s`: for how long, where that is known.
    """

    status: Status
    available: bool
    why: str = ""
    left_s: float | None = None


_AVAILABLE = Standing("available", True)
_UNKNOWN = Standing("unknown", True, "not probed yet, so it is given the benefit of the doubt")


def standing(worker: Worker, live: Standing | None = None) -> Standing:
    """`live`: what this process itself learnt from its calls, where that is anything."""
    if worker.admin == "offline":
        return Standing("offline", False, "taken offline by an operator; register it again or PATCH admin to enabled")
    if worker.admin == "draining":
        return Standing("draining", False, "draining: it finishes its open requests and gets no new ones")
    if worker.expired:
        return Standing("expired", False, "its registration has a time limit (ttl_s) and was not renewed in time")
    if worker.health.probe == "down":
        return Standing("down", False, f"health checks fail: {worker.health.last_error or 'no answer'}")
    if live is not None:
        return live
    return _UNKNOWN if worker.health.probe == "unknown" else _AVAILABLE
