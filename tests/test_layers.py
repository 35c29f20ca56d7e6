"""Imports point one way only; see docs/design.md. Proved from the source with ast, nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "app"
FILES = sorted(APP.rglob("*.py"))

# who may import whom inside app/
ALLOWED = {
    "core": {"core"},
    "storage": {"storage", "core", "extensions"},
    "upstream": {"upstream", "core", "settings"},
    "services": {"services", "storage", "upstream", "core", "settings"},
    "api": {"api", "services", "core", "settings", "extensions"},
    "samples": {"samples"},
    "cli": {"cli", "api", "services", "upstream", "core", "settings", "samples", ""},
    "settings": {"core"},
    "extensions": {"storage"},
    "": {"api", "services", "storage", "extensions", "settings"},
}
# which libraries live in which rooms only
HOMES = {
    "sqlalchemy": {"storage", "extensions", ""},
    "flask_sqlalchemy": {"extensions"},
    "flask_migrate": {"extensions", "cli"},
    "alembic": {"storage"},
    "psycopg": {"storage"},
    "cryptography": {"services"},
    "urllib3": {"upstream"},
    "requests": {"upstream", "cli"},
    "flask": {"api", "", "cli", "extensions"},
    "flask_smorest": {"api", "extensions"},
    "marshmallow": {"api"},
    "webargs": {"api"},
    "werkzeug": {"api"},
    "click": {"cli", "settings"},
    "rich": {"cli"},
    "yaml": {"cli"},
    "gevent": {"upstream"},
}


def room_of(path: Path) -> str:
    inside = path.relative_to(APP)
    return inside.parts[0] if len(inside.parts) > 1 else ("" if inside.stem == "__init__" else inside.stem)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "app":
            target = parts[1] if len(parts) > 1 else ""
            assert target in ALLOWED[room], f"{path.relative_to(ROOT)} ({room}) imports {name}"
        elif parts[0] in HOMES:
            assert room in HOMES[parts[0]], f"{path.relative_to(ROOT)} ({room}) imports {name}"


def test_core_needs_nothing_but_the_standard_library_and_re2() -> None:
    import sys

    for path in (APP / "core").rglob("*.py"):
        for name in imports(path):
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top in {"app", "re2"}, f"{path.name} imports {name}"
            assert top not in {"socket", "http", "urllib3", "sqlite3", "subprocess", "os", "threading"}, (
                f"{path.name} does I/O: {name}"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_stay_small(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 250, f"{path.relative_to(ROOT)} has {lines} lines: it holds two purposes"
