"""One server of two processes for each database and module, and workers that can be killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served.toys import Toy
from tests.serving import Server, serving


@pytest.fixture(scope="module")
def server(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(shared_database, tmp_path_factory.mktemp("var")) as running:
        yield running


@pytest.fixture
def toy() -> Iterator[Toy]:
    with Toy("first") as running:
        yield running


@pytest.fixture
def other_toy() -> Iterator[Toy]:
    with Toy("second") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var"
