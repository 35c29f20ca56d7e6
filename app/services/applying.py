"""The registry made equal to a list of registrations: all of it in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from app.core.errors import InvalidField
from app.core.registration import Registration, parse_registration
from app.core.targets import Targets
from app.core.worker import Worker
from app.services import changes
from app.services.exporting import words_of
from app.services.masking import masked_url
from app.services.unmasking import stored_for, unmasked
from app.storage import workers
from app.storage.database import Database

MAX_SHOWN = 10
Parse = Callable[[Mapping[str, Any]], Registration]
Kind = Literal["created", "updated", "unchanged", "removed", "left"]


@dataclass(frozen=True, slots=True)
class Change:
    """`what`: the words that differ. `removed`: taken offline. `left`: not in the list, and not touched."""

    kind: Kind
    model_name: str
    url: str
    what: tuple[str, ...] = ()


class _DryRun(Exception):
    """Ends the transaction of a dry run with nothing written."""


def apply(
    database: Database,
    raws: Sequence[Mapping[str, Any]],
    may_read: Callable[[str], bool],
    targets: Targets,
    *,
    prune: bool = False,
    dry_run: bool = False,
) -> list[Change]:
    """An unnamed weight is the default; what was offline is enabled again unless its `admin` says otherwise.

    Workers that are not in the list are left, with `prune` taken offline; those with a time limit are never touched.
    Raises InvalidField with the place of every fault.
    """
    done: list[Change] = []
    try:
        with database.write() as tx:
            parse = partial(parse_registration, may_read=may_read, targets=targets)
            done = _apply(tx, raws, parse, prune, database.now(tx))
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return done


def _apply(
    tx: changes.Transaction, raws: Sequence[Mapping[str, Any]], parse: Parse, prune: bool, now: float
) -> list[Change]:
    stored = [worker for worker in workers.find_all(tx) if worker.ttl_s is None]
    wanted = _read(raws, stored, parse)
    done = [_put(tx, registration, worker, now) for registration, worker in wanted]
    meant = {worker.id for _, worker in wanted if worker is not None}
    for worker in stored:
        if worker.id not in meant and worker.admin != "offline":
            if prune:
                changes.retire(tx, worker, False, now)
            done.append(Change("removed" if prune else "left", worker.model_name, masked_url(worker.url)))
    return done


def _read(
    raws: Sequence[Mapping[str, Any]], stored: Sequence[Worker], parse: Parse
) -> list[tuple[Registration, Worker | None]]:
    found, faults, seen = [], [], set()
    for at, raw in enumerate(raws):
        try:
            worker = stored_for(raw, stored)
            registration = parse(_complete(unmasked(raw, worker), worker))
            identity = (registration.model_name, registration.url, registration.instance)
            if identity in seen:
                raise InvalidField("the same model, URL and instance stands in the list twice")
            seen.add(identity)
            found.append((registration, worker))
        except InvalidField as error:
            faults.append(f"registrations[{at}] ({raw.get('model_name')}): {error.message.rstrip('.')}")
    if faults:
        more = f" — and {len(faults) - MAX_SHOWN} more" if len(faults) > MAX_SHOWN else ""
        raise InvalidField("; ".join(faults[:MAX_SHOWN]) + more + ".", field="registrations")
    return found


def _complete(raw: dict[str, Any], worker: Worker | None) -> dict[str, Any]:
    back = {"admin": "enabled"} if worker is not None and worker.admin == "offline" else {}
    return {"weight": changes.DEFAULT_WEIGHT, **back, **raw}


def _put(tx: changes.Transaction, registration: Registration, worker: Worker | None, now: float) -> Change:
    shown = (registration.model_name, masked_url(registration.url))
    if worker is None:
        changes.create(tx, registration, now)
        return Change("created", *shown)
    after, outcome = changes.upsert(tx, worker, registration, now)
    if outcome == "unchanged":
        return Change("unchanged", *shown)
    return Change("updated", *shown, _differences(words_of(worker), words_of(after)))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Weight and admin state with their values, which are no secrets; of other words the name."""
    usual = {"admin": "enabled"}
    names = [word for word in {**before, **after} if before.get(word) != after.get(word)]
    return tuple(
        f"{word} {before.get(word, usual.get(word))} → {after.get(word, usual.get(word))}"
        if word in ("weight", "admin")
        else word
        for word in names
    )
