"""An application with API keys, asked with one or another of them. No thread is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from app.core.api_keys import Scope
from app.services.key_book import KeyBook, Wanted
from tests.api.management import Api


def book(api: Api) -> KeyBook:
    return KeyBook(api.rollcall.database, api.rollcall.settings)


def make(api: Api, *scopes: Scope, **words: Any) -> str:
    """A new key, which the application knows already."""
    text, _ = book(api).create(Wanted(frozenset(scopes), **words))
    api.rollcall.fleet.refresh()
    return text


@dataclass(frozen=True)
class As:
    """Asks with a key (None: with none)."""

    api: Api
    key: str | None

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        return self.api.send(method, path, headers=headers, **options)

    def status(self, method: str, path: str, body: Any = None) -> int:
        """As a server would, the answer is closed, which gives back the place that it held."""
        with self.send(method, path, json={} if body is None else body) as answer:
            return answer.status_code
