"""What a failed attempt means: may another worker be asked, and what does the caller hear when none is left?

Pure decisions over the failures of one request. A model call may have run and been billed as soon as the request
was sent, so what happened after that is tried again only where the worker's registration allows it by name.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from app.core.errors import RollcallError, UpstreamError, UpstreamRejected, UpstreamTimeout

Kind = (
    Literal["config", "dns", "connect", "refused", "address_refused", "tls"]
    | Literal["status", "fault", "reset", "timeout", "too_large", "protocol"]
)

CREDENTIALS: Final = (401, 403)
BACKPRESSURE: Final = (429, 503, 529)
DEFAULT_RETRY_AFTER_S: Final = 1.0
LONGEST_RETRY_AFTER_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that gave no answer.

    `message` is what the worker said ("status", "fault") or a clause that says what happened; where it is a whole
    sentence it begins with "The worker". `sent`: the worker may have seen the whole request. `retry_matched`: the
    registration's `retry_when` holds. `code`: the error's, where the kind is "config", a request that cannot be made,
    or the worker's own, as `field` is, where it answered in OpenAI's shape that the request is at fault.
    `blameless`: it says nothing about the worker.
    """

    worker_id: int
    kind: Kind
    message: str
    sent: bool = True
    status: int | None = None
    retry_after_s: float | None = None
    retry_matched: bool = False
    code: str | None = None
    blameless: bool = False
    field: str | None = None


def may_fail_over(failure: Failure, earlier: Sequence[Failure], opted: Container[str]) -> bool:
    """May another worker be asked after this failure? `opted`: the `retry` kinds of the worker that failed."""
    if failure.retry_matched or not failure.sent:
        return True
    status = failure.status
    if status is None:
        return failure.kind in ("reset", "timeout") and failure.kind in opted
    if status < 400 or status in CREDENTIALS or status in BACKPRESSURE:
        return True
    if status == 500:
        return all(other.status != 500 for other in earlier)
    return str(status) in opted


def verdict(failures: Sequence[Failure], *, budget_is_spent: bool = False) -> RollcallError:
    """The caller's error once no (other) worker is asked; at least one failure.

    The last worker that answered decides: it says more than one that could not be reached after it.
    SDKs repeat such errors by themselves, which would multiply the load, so they are told not to; but for
    backpressure, where waiting helps. `budget_is_spent`: that is why nobody else is asked.
    """
    final = next((failure for failure in reversed(failures) if failure.sent), failures[-1])
    error = _error(final, _sentence(final, len(failures), budget_is_spent))
    if error.retry_after_s is None:
        error.should_retry = False
    error.attempts, error.worker_id = len(failures), final.worker_id
    return error


def _error(final: Failure, sentence: str) -> RollcallError:
    status = final.status
    if final.kind == "timeout" or status == 504:
        return UpstreamTimeout(sentence)
    if status in BACKPRESSURE:
        code = "upstream_rate_limited" if status == 429 else "upstream_overloaded"
        wait = DEFAULT_RETRY_AFTER_S if final.retry_after_s is None else final.retry_after_s
        return UpstreamError(sentence, status=status, code=code, retry_after_s=wait)
    if status in CREDENTIALS:
        return UpstreamError(sentence, code="upstream_auth_error")
    if status is not None and 400 <= status < 500 and not final.retry_matched:
        said = sentence if _says_nothing(final) else final.message
        return UpstreamRejected(said, status=status, code=final.code, field=final.field)
    if final.kind == "address_refused":
        return UpstreamError(sentence, code="address_refused")
    return UpstreamError(sentence, code=final.code if final.kind == "config" else None)


def _sentence(final: Failure, attempts: int, budget_is_spent: bool) -> str:
    asked = f" ({attempts} workers were asked)" if attempts > 1 else ""
    spent = "; nobody else was asked, because too many calls failed lately" if budget_is_spent else ""
    return f"Worker {final.worker_id}{_what_happened(final)}{asked}{spent}."


def _what_happened(final: Failure) -> str:
    said, status = final.message.strip().rstrip("."), final.status
    if status in CREDENTIALS:
        return f" refused the credentials of its registration (HTTP {status})"
    if status is not None and status < 400:
        return f" answered with a redirect (HTTP {status}), which is not followed: register the address it leads to"
    if status is not None:
        silence = said or f"HTTP {status} without a message"
        return f" answered {silence}" if _says_nothing(final) else f" answered HTTP {status}: {said}"
    if said.startswith("The worker"):
        return said.removeprefix("The worker")
    if final.kind == "fault":
        return f" failed: {said}" if said else " failed without a message"
    return f" failed after the request was sent: {said}" if final.sent else f" could not be asked: {said}"


def _says_nothing(final: Failure) -> bool:
    """Its message is empty or only repeats the status."""
    return not final.message.strip() or final.message.startswith(f"HTTP {final.status} ")


def wanted_pause_s(status: int, retry_after: str | None, now: float) -> float:
    """How long a worker that is too busy wants to be left alone, for polls; 0: it does not say."""
    return (retry_after_s(retry_after, now) or 0.0) if status in (429, 503) else 0.0


def retry_after_s(value: str | None, now: float) -> float | None:
    """Seconds to wait that a Retry-After header names, as a number or a date; None where it names none.

    `now` is UTC seconds since 1970. Never negative, never more than LONGEST_RETRY_AFTER_S.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    # A comparison with NaN is false, so NaN falls to the floor.
    return min(seconds, LONGEST_RETRY_AFTER_S) if seconds > 0 else 0.0
