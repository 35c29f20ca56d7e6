"""Another router's model list as registrations: its providers map to presets by a table that ships as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import InvalidField, RollcallError
from app.core.preset import Preset
from app.services.model_deployment import Deployment
from app.services.model_weights import weighed


@dataclass
class Entry:
    """One deployment of the list. `why`: the reason why there is no registration; `ignored`: words left out."""

    at: int
    name: Any
    raw: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    ignored: list[str] = field(default_factory=list)

    @property
    def where(self) -> str:
        return f"model_list[{self.at}] ({self.name})"


@dataclass(frozen=True, slots=True)
class Imported:
    """`left_out`: what the file says beside its list."""

    entries: list[Entry]
    left_out: list[str]


def read_model_list(
    config: Any, table: Mapping[str, Any], preset: Callable[[str], Preset], environ: Mapping[str, str]
) -> Imported:
    """`environ`: for addresses that the file leaves to environment variables. Nothing is dropped in silence.

    Raises InvalidField when there is no list.
    """
    rows = config.get("model_list") if isinstance(config, Mapping) else None
    if not isinstance(rows, list):
        raise InvalidField("The file holds no list under model_list.", field="model_list")
    entries = [_entry(row, at, table, preset, environ) for at, row in enumerate(rows)]
    good = [entry for entry in entries if not entry.why]
    weights = weighed([(entry.raw["model_name"], *_share(rows[entry.at], table)) for entry in good])
    for entry, weight in zip(good, weights, strict=True):
        if weight is not None:
            entry.raw["weight"] = weight
    _told_apart(good)
    return Imported(entries, sorted(str(key) for key in config if key != "model_list"))


def _entry(
    row: Any, at: int, table: Mapping[str, Any], preset: Callable[[str], Preset], environ: Mapping[str, str]
) -> Entry:
    params = row.get(table["params"]) if isinstance(row, Mapping) else None
    name = row.get("model_name") if isinstance(row, Mapping) else None
    entry = Entry(at, name)
    if not isinstance(params, Mapping) or not isinstance(params.get("model"), str) or not isinstance(name, str):
        entry.why = "it needs model_name, and a model in its parameters"
        return entry
    if "*" in name + params["model"]:
        entry.why = "a wildcard stands for models that it does not name; list them, each in an entry of its own"
        return entry
    try:
        deployment = Deployment(row, params, table, preset, environ)
        entry.raw = {"model_name": name, **deployment.words()}
        entry.ignored = deployment.ignored
    except RollcallError as error:
        entry.why = error.message.rstrip(".")
    return entry


def _share(row: Mapping[str, Any], table: Mapping[str, Any]) -> tuple[Any, Any]:
    params = row[table["params"]]
    return params.get("weight"), params.get("rpm", row.get("rpm"))


def _told_apart(entries: list[Entry]) -> None:
    """Several deployments of one model at one URL (other keys, other models there) get an instance each."""
    seen: dict[tuple[str, str, str], int] = {}
    for entry in entries:
        key = (entry.raw["model_name"], entry.raw["req_url_template"], entry.raw.get("instance", ""))
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 1:
            entry.raw["instance"] = f"{key[2]} {seen[key]}".strip()
