"""Jobs. Every function works inside its caller's transaction; none of them is held while anybody speaks HTTP.

A claim says who works on a job; it is a lease, renewed while the work goes on. What is saved is fenced by the claim,
so that a process which overslept writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, func, or_, select, tuple_, update
from sqlalchemy import delete as delete_from
from sqlalchemy import insert as insert_into
from sqlalchemy.orm import Session

from app.core.conversation import Task
from app.core.job_record import (
    Job,
    State,
    items_of,
    items_text,
    request_of,
    request_text,
    worker_of,
    worker_text,
)
from app.storage.models import JOB

CLAIM_S = 10.0
"""How long a claim lasts from its last renewal, seconds."""
ERROR_LENGTH = 500

_NAMES = (
    *("id", "request", "state", "created_at", "worker", "upstream_id", "submit_reply", "progress", "error", "items"),
    *("failures", "due_at", "planned_at", "deadline_at", "finished_at", "claimed_by", "claimed_until"),
)
_JOBS = select(*(JOB.c[name] for name in _NAMES))
_FIND = _JOBS.where(JOB.c.id == bindparam("job_id"))
# A claim or a due time farther off than it can be: the clock was set back since it was written.
_FREE = or_(JOB.c.claimed_until <= bindparam("now"), JOB.c.claimed_until > bindparam("now") + CLAIM_S + 1)
_DUE = and_(
    JOB.c.state == "running",
    or_(JOB.c.due_at <= bindparam("now"), JOB.c.planned_at > bindparam("now") + 1),
    _FREE,
)
# Two statements: as a part of the UPDATE, PostgreSQL may run this more than once, and beyond its limit.
_LOCK_DUE = select(JOB.c.id).where(_DUE).order_by(JOB.c.due_at).limit(bindparam("limit"))
_LOCK_DUE = _LOCK_DUE.with_for_update(skip_locked=True)
_WHEN = case((JOB.c.planned_at > bindparam("now") + 1, bindparam("now")), else_=JOB.c.due_at)
_NEXT_DUE = select(func.min(_WHEN)).where(JOB.c.state == "running", _FREE)
_STATE = select(JOB.c.state).where(JOB.c.id == bindparam("job_id"))
_SUBMITTING = select(JOB.c.id, JOB.c.claimed_by, JOB.c.claimed_until).where(JOB.c.state == "submitting")

Claim = tuple[str, str, float]
"""Job id, who holds the claim, until when."""


def insert(tx: Session, job: Job) -> None:
    tx.execute(insert_into(JOB).values(id=job.id, task=job.request.task, model_name=job.model_name, **_columns(job)))


def find(tx: Session, job_id: str) -> Job | None:
    row = tx.execute(_FIND, {"job_id": job_id}).one_or_none() if _may_be_id(job_id) else None
    return to_job(row) if row else None


def state_of(tx: Session, job_id: str) -> State | None:
    """Cheaper than find()."""
    state: State | None = tx.execute(_STATE, {"job_id": job_id}).scalar_one_or_none()
    return state


def page(
    tx: Session, *, task: Task | None = None, after: str | None = None, limit: int = 20, oldest_first: bool = False
) -> list[Job]:
    """At most `limit` jobs in the order of their making, those of one task, beginning after the job `after`.

    A job that is gone begins the page at the start.
    """
    conditions: list[ColumnElement[bool]] = [] if task is None else [JOB.c.task == task]
    place = tuple_(JOB.c.created_at, JOB.c.id)
    if after is not None and (last := find(tx, after)):
        at = (last.created_at, last.id)
        conditions.append(place > at if oldest_first else place < at)
    order = (JOB.c.created_at, JOB.c.id) if oldest_first else (JOB.c.created_at.desc(), JOB.c.id.desc())
    return [to_job(row) for row in tx.execute(_JOBS.where(*conditions).order_by(*order).limit(limit))]


def next_due(tx: Session, now: float) -> float | None:
    """When the next poll of a job that nobody works on is due; None: there is none."""
    due: float | None = tx.execute(_NEXT_DUE, {"now": now}).scalar_one()
    return due


def submitting(tx: Session) -> list[Claim]:
    """The claims of all jobs that are being submitted."""
    return [(row.id, row.claimed_by, row.claimed_until) for row in tx.execute(_SUBMITTING)]


def claim_due(tx: Session, now: float, holder: str, limit: int) -> list[Job]:
    """At most `limit` running jobs to poll now, the longest waiting first; they are the holder's until CLAIM_S later.

    Two who claim at once share them: no job goes to both.
    """
    if limit <= 0:
        return []
    ids = tx.execute(_LOCK_DUE, {"now": now, "limit": limit}).scalars().all()
    claimed = update(JOB).where(JOB.c.id.in_(ids)).values(claimed_by=holder, claimed_until=now + CLAIM_S)
    rows = tx.execute(claimed.returning(*(JOB.c[name] for name in _NAMES)))
    return sorted((to_job(row) for row in rows), key=lambda job: job.due_at)


def renew(tx: Session, now: float, holder: str, job_ids: Collection[str]) -> None:
    """A sign of life for the jobs that the holder works on."""
    mine = (JOB.c.id.in_(sorted(job_ids)), JOB.c.claimed_by == holder)
    tx.execute(update(JOB).where(*mine).values(claimed_until=now + CLAIM_S))


def save(tx: Session, job: Job, expected: State, holder: str) -> bool:
    """Write the job over its row. False: that is not in the state `expected` any more, or not claimed by `holder`."""
    mine = (JOB.c.id == job.id, JOB.c.state == expected, JOB.c.claimed_by == holder)
    return tx.execute(update(JOB).where(*mine).values(_columns(job)).returning(JOB.c.id)).first() is not None


def release(tx: Session, holder: str) -> None:
    """Let others poll at once what the holder was about to poll."""
    mine = (JOB.c.claimed_by == holder, JOB.c.state == "running")
    tx.execute(update(JOB).where(*mine).values(claimed_by="", claimed_until=0.0))


def fail_orphan(tx: Session, claim: Claim, error: str, now: float) -> bool:
    """Fail a job that was being submitted under this very claim; False when the claim was renewed or given up since."""
    job_id, holder, until = claim
    unmoved = (JOB.c.id == job_id, JOB.c.state == "submitting")
    same_claim = (JOB.c.claimed_by == holder, JOB.c.claimed_until == until)
    values = {"state": "failed", "error": error, "finished_at": now, "claimed_by": "", "claimed_until": 0.0}
    return tx.execute(update(JOB).where(*unmoved, *same_claim).values(values).returning(JOB.c.id)).first() is not None


def delete(tx: Session, job_id: str) -> bool:
    return tx.execute(delete_from(JOB).where(JOB.c.id == job_id).returning(JOB.c.id)).first() is not None


def finished_before(tx: Session, before: float, limit: int) -> list[str]:
    query = select(JOB.c.id).where(JOB.c.finished_at < before).order_by(JOB.c.finished_at).limit(limit)
    return list(tx.execute(query).scalars())


def delete_all(tx: Session, job_ids: Iterable[str]) -> None:
    tx.execute(delete_from(JOB).where(JOB.c.id.in_(sorted(job_ids))))


def to_job(row: Sequence[Any]) -> Job:
    values = dict(zip(_NAMES, row, strict=True))
    reply, worker, items = values["submit_reply"], values["worker"], values["items"]
    return Job(
        **{
            **values,
            "request": request_of(values["request"]),
            "worker": worker_of(worker) if worker else None,
            "submit_reply": json.loads(reply) if reply else None,
            "items": items_of(items) if items else (),
        }
    )


def _columns(job: Job) -> dict[str, Any]:
    return {
        **{name: getattr(job, name) for name in _NAMES if name != "id"},
        "request": request_text(job.request),
        "worker": worker_text(job.worker) if job.worker else None,
        "worker_id": job.worker_id,
        "submit_reply": None if job.submit_reply is None else json.dumps(job.submit_reply),
        "items": items_text(job.items) if job.items else None,
        "error": job.error and storable(job.error),
    }


def storable(text: str) -> str:
    """It may quote a worker's bytes, among them characters that PostgreSQL refuses."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()[:ERROR_LENGTH]


def _may_be_id(job_id: str) -> bool:
    return len(job_id) <= 64 and job_id.isascii() and job_id.isprintable()
