"""Known model services, played; the helpers' assertions say as much as those of tests."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.player.asking", "tests.player.cases", "tests.player.making")
