"""How the words of `key create` are read."""

from __future__ import annotations

import click

from app.core.api_keys import SCOPES, Scope

MOST_PER_MINUTE = 100_000
MOST_AT_ONCE = 10_000


class Words(click.ParamType[frozenset[str]]):
    """a,b,c as a set."""

    name = "words"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        if isinstance(value, frozenset):
            return value
        words = frozenset(word.strip() for word in str(value).split(",") if word.strip())
        if not words:
            self.fail("nothing is named.", param, ctx)
        return words


def scopes(ctx: click.Context, param: click.Parameter, value: str) -> frozenset[Scope]:
    named = Words().convert(value, param, ctx)
    known = frozenset(scope for scope in SCOPES if scope in named)
    if len(known) < len(named):
        raise click.BadParameter(f"use {', '.join(SCOPES)}; commas for more than one.", ctx, param)
    return known
