"""How a view reaches the running whole of its process."""

from __future__ import annotations

from typing import cast

from flask import current_app

from app.services.rollcall import Rollcall


def rollcall() -> Rollcall:
    return cast(Rollcall, current_app.extensions["rollcall"])
