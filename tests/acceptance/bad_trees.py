"""Trees of JSON with one place, or a few, replaced by something that does not belong there."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

TEXTS = (
    *("", " ", "x", "{", "{USER_PROMPT", "{{A}}", "{RESP:a}", "{JOB_ID}", "{ACCESS_TOKEN}", "{NO_SUCH_NAME}", "{A:}"),
    *(
        "${env:HOME}",
        "${env:}",
        "${secret:x}",
        "${",
        "a[0",
        "a..b",
        "a|",
        "[*]",
        '"',
        "a[b=c].d",
        "@event",
        "(",
        "(?=a)",
    ),
    *(
        "http://",
        "https://u:p@h/",
        "http://h:99999/",
        "ftp://h",
        "http://h/{",
        "//h",
        "http://[::1",
        "\ud800",
        "a\x00b",
    ),
    *("\r\nX-Evil: 1", "é" * 10, "x" * 3000, "POST", "GET", "PUT", "sse", "text", "*", "b64", "separate", "true", "0"),
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2, 10**9, 2**63, 2**64, -(2**63), 10**400, 0.0, -0.5, 1e-300, 1e308]),
    st.sampled_from(TEXTS),
    st.text(max_size=8),
)
anything = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(TEXTS) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place below the root."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for name, part in inner for place in [(*here, name), *places(part, (*here, name))]]


def put(tree: Any, place: tuple[Any, ...], value: Any) -> Any:
    tree = copy.deepcopy(tree)
    node = tree
    try:
        for step in place[:-1]:
            node = node[step]
        node[place[-1]] = value
    except (TypeError, KeyError, IndexError):
        pass  # an earlier change took the place away
    return tree


@st.composite
def spoiled(draw: st.DrawFn, trees: list[Any]) -> Any:
    """One of the trees with one to three places replaced, one of them perhaps new."""
    tree = draw(st.sampled_from(trees))
    everywhere = places(tree)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(everywhere))
        if draw(st.integers(0, 9)) == 0:
            place = (*place[:-1], draw(st.sampled_from([name for each in everywhere for name in each[-1:]])))
        tree = put(tree, place, draw(anything))
    return tree
