"""What an operator reads in the log of live verdicts: who was ejected and why, who is back, who wants a pause."""

from __future__ import annotations

import logging

from app.core.live import Live
from app.core.retry import Failure
from app.core.worker import Worker

log = logging.getLogger(__name__)


def tell(worker: Worker, before: Live, after: Live, now: float, failure: Failure | None) -> None:
    """Only what lasts: pauses that the worker did not name are over in a second, and would fill the log."""
    if after.times > before.times:
        last = f" (the last call: {_said(failure)})" if failure is not None else ""
        wait_s = after.until - now
        log.warning("Worker %s of %s failed in a row%s: ejected for %.0f s", worker.id, worker.model_name, last, wait_s)
    elif before.state == "half-open" and after.state == "closed":
        log.info("Worker %s of %s is back: its trials succeeded, slow start", worker.id, worker.model_name)
    elif after.asked_for and not before.asked_for and failure is not None:
        wait_s, said = after.until - now, _said(failure)
        log.info("Worker %s of %s answered %s: no traffic for %.0f s", worker.id, worker.model_name, said, wait_s)


def _said(failure: Failure) -> str:
    """Without the worker's own words: what it says of an input may hold that input."""
    if failure.status is not None:
        return f"HTTP {failure.status}"
    return "an error in its reply" if failure.kind == "fault" else failure.message
