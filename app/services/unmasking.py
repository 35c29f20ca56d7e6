"""A registration from an exported file: what is masked in it is what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.core.errors import InvalidField
from app.core.language import place
from app.core.worker import Worker
from app.services.exporting import words_of
from app.services.masking import MASK, masked_url


def stored_for(raw: Mapping[str, Any], stored: Iterable[Worker]) -> Worker | None:
    """The worker of this identity, also when its URL is masked. Raises InvalidField when several could be meant."""
    identity = (raw["model_name"], raw.get("instance") or "")
    url = raw["req_url_template"]
    same = [worker for worker in stored if (worker.model_name, worker.instance) == identity]
    exact = [worker for worker in same if worker.url == url]
    found = exact or [worker for worker in same if MASK in url and masked_url(worker.url) == url]
    if len(found) > 1:
        raise InvalidField("its URL is masked and could be that of several workers", field="req_url_template")
    return found[0] if found else None


def unmasked(raw: Mapping[str, Any], worker: Worker | None) -> dict[str, Any]:
    """Raises InvalidField naming the place that is masked while nothing is stored for it."""
    stored = {} if worker is None else words_of(worker)
    return {word: _restored(value, stored.get(word), word) for word, value in raw.items()}


def _restored(node: Any, stored: Any, where: str) -> Any:
    if isinstance(node, str):
        if MASK in node and isinstance(stored, str) and node in (MASK, masked_url(stored)):
            return stored
        if node == MASK or f"={MASK}" in node:
            raise InvalidField(f"{where} is masked ({MASK}) and nothing is stored for it; write its value", field=where)
        return node
    if isinstance(node, Mapping):
        under = stored if isinstance(stored, Mapping) else {}
        return {key: _restored(value, under.get(key), place(where, key)) for key, value in node.items()}
    if isinstance(node, list):
        items = stored if isinstance(stored, list) else []
        return [
            _restored(item, items[at] if at < len(items) else None, place(where, at)) for at, item in enumerate(node)
        ]
    return node
