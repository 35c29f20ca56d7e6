"""One application with its jobs for each database and module, for the tests of images and media."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.generating import House, house


@pytest.fixture(scope="module")
def home(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(shared_database, tmp_path_factory.mktemp("var")) as running:
        yield running
