"""The presets that ship with Rollcall: one JSON file a system under app/presets/, read once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app.core.errors import InvalidField, NotFound
from app.core.preset import Preset, parse_preset

FOLDER = Path(__file__).resolve().parent.parent / "presets"


@cache
def presets() -> Mapping[str, Preset]:
    """All of them by name, in the order of their names."""
    files = {file.stem: file for file in FOLDER.glob("*.json")}
    return {name: parse_preset(name, _read(files[name])) for name in sorted(files)}


def find(name: str) -> Preset:
    """Raises InvalidField with the nearest name there is."""
    if (preset := presets().get(name)) is not None:
        return preset
    near = difflib.get_close_matches(name[:100], presets(), n=1)
    hint = f"did you mean {near[0]}?" if near else "GET /api/server/presets and `manage.py presets` list them."
    raise InvalidField(f"There is no preset {name[:100]!r}; {hint}", field="preset")


def expanded(raw: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
    """A registration whose `preset` is replaced by the preset's words, under the registration's own.

    `key`: env:NAME or a key, for the place where the preset has one. Raises InvalidField.
    """
    name = raw.get("preset")
    if name is None:
        return dict(raw)
    if not isinstance(name, str):
        raise InvalidField("preset must be a text.", field="preset")
    preset = find(name)
    words = {word: value for word, value in raw.items() if word != "preset"}
    return (preset if key is None else preset.with_key(key)).under(words)


def import_formats() -> list[str]:
    return [file.stem for file in sorted((FOLDER / "imports").glob("*.json"))]


def import_table(name: str) -> Mapping[str, Any]:
    """How another router's configuration maps to presets. Raises NotFound."""
    if name not in import_formats():
        raise NotFound(f"There is no import table {name!r}.")
    return _read(FOLDER / "imports" / f"{name}.json")


def _read(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read
