"""docs/reliability.md: every row of the contract names tests, and every test that the page names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.faults.run import PARTS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
CONTRACT = re.findall(r"^\| (\d+) \|(.*)\|$", PAGE.split("## The contract\n")[1].split("\n## ")[0], re.MULTILINE)
LATER = {"11"}
"""Rows whose tests come with another issue."""


def found_in(path: Path) -> set[str]:
    """What pytest finds in it: functions, and classes or names like them."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if name.lower().startswith("test")}


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda part: part)
def test_what_is_named_is_there(file: str, test: str) -> None:
    path = ROOT / file
    assert path.is_file()
    assert not test or test in found_in(path)


def test_every_promise_names_its_tests() -> None:
    assert [number for number, _ in CONTRACT] == [str(number) for number in range(1, 12)]
    assert [number for number, row in CONTRACT if number not in LATER and "::test_" not in row] == []


def test_the_parts_of_make_chaos_are_named_where_they_prove_something() -> None:
    named = {name for _, row in CONTRACT for name in re.findall(r"`([a-z_]+)`", row.rsplit("|", 1)[1])}
    assert named == {part.__name__ for part in PARTS}
