"""What a key that is bound to an owner may change: that owner's workers, and no others."""

from __future__ import annotations

from dataclasses import replace

from app.core.errors import ScopeRefused
from app.core.registration import Registration
from app.core.worker import Worker


def claimed(wanted: Registration, owner: str) -> Registration:
    """A registration that names no owner is the key's owner's. Raises ScopeRefused for one that names another."""
    if not owner or wanted.owner == owner:
        return wanted
    if wanted.owner:
        raise _refused(owner)
    return replace(wanted, owner=owner)


def check(worker: Worker, owner: str) -> None:
    """Raises ScopeRefused. `owner` '': everyone's."""
    if owner and worker.owner != owner:
        raise _refused(owner)


def _refused(owner: str) -> ScopeRefused:
    sentence = f"This API key registers and changes workers of the owner {owner!r} only."
    return ScopeRefused(sentence, field="owner", code="owner_not_allowed")
