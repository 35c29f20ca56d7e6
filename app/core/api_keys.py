"""API keys: what one looks like, what is kept of it, and what it may do. Pure; where they live is in services/keys.py.

A key is `rck_` + 12 hexadecimal digits that name it + `_` + 48 that only its holder knows (192 bits). Kept is a hash
under the pepper: fast, because nobody guesses 192 bits, and keyed, so that a stolen table is of no use by itself.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Scope = Literal["infer", "read", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

NAME_BYTES: Final = 6
SECRET_BYTES: Final = 24
LONGEST: Final = 256
"""Of what is presented no more than so many characters are looked at."""

_SHAPE = re.compile(rf"rck_([0-9a-f]{{{2 * NAME_BYTES}}})_[0-9a-f]{{{2 * SECRET_BYTES}}}")


@dataclass(frozen=True, slots=True)
class Key:
    """`models` None: all. `owner` '': of no one. `rpm`: requests a minute, `concurrency`: at once; None: no limit.

    Times are UTC seconds since 1970.
    """

    id: int
    prefix: str
    digest: bytes = field(repr=False)
    name: str
    scopes: frozenset[Scope]
    created_at: float
    models: frozenset[str] | None = None
    owner: str = ""
    rpm: int | None = None
    concurrency: int | None = None
    expires_at: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None

    def may(self, needed: Iterable[Scope]) -> bool:
        """Does it have one of these scopes? `admin` has them all. Nothing needed: any key will do."""
        wanted = frozenset(needed)
        return not wanted or "admin" in self.scopes or not wanted.isdisjoint(self.scopes)

    def may_ask(self, model: str) -> bool:
        return self.models is None or model in self.models


def written(name: bytes, secret: bytes) -> str:
    """A new key, of NAME_BYTES and SECRET_BYTES random bytes."""
    return f"rck_{name.hex()}_{secret.hex()}"


def prefix_of(presented: str) -> str:
    """What a key is looked up by and listed as; '' for what is none."""
    found = _SHAPE.fullmatch(presented)
    return found[1] if found else ""


def digest_of(presented: str, pepper: str) -> bytes:
    """32 bytes. The same work for every text of the same length, key or not."""
    return hmac.digest(pepper.encode(), presented[:LONGEST].encode("utf-8", "surrogatepass"), "sha256")


def presented_in(authorization: str, x_api_key: str) -> str:
    """The key of a request's two headers: a bearer token before `x-api-key`; '' where neither holds any."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer" and (token := token.strip()):
        return token
    return x_api_key.strip()
