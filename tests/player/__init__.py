"""Known model services, played; the helpers' assertions say as much as those of tests."""

from __future__ import annotations

import pytest

HELPERS = ("asking", "cases", "making", "media_cases")
pytest.register_assert_rewrite(*(f"tests.player.{name}" for name in HELPERS))
