"""What a toy says: words made up from a hash, the same for the same name and prompt."""

from __future__ import annotations

import hashlib
import random

_VOCABULARY = (
    "amber anchor basalt birch breeze brook candle cedar clover cobalt copper coral dawn drift dune ember fern flint "
    "fog garnet glade granite harbour hazel heron ivory jade juniper kelp kite lantern larch linen lichen maple marble "
    "meadow mist moss oak olive onyx otter pebble pine plum quartz rain reed ridge river saffron sage sand slate "
    "sparrow thistle tide topaz umber velvet walnut willow wren"
)
WORDS = _VOCABULARY.split()


def made_up(name: str, prompt: str) -> list[str]:
    """The answer of the toy `name` to `prompt`, piece by piece; joined, the pieces are the whole text."""
    digest = hashlib.sha256(f"{name}\0{prompt}".encode("utf-8", "replace")).digest()
    dice = random.Random(digest)
    opening = f"{name}, a toy that makes up words, says:".split()
    words = [*opening, *(dice.choice(WORDS) for _ in range(dice.randint(6, 10)))]
    return [word if place == 0 else f" {word}" for place, word in enumerate(words)]
