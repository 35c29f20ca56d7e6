"""The names that a template may hold. Any other UPPER_CASE name is the caller's field of that name in lower case."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

KNOWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "USER_PROMPT": "text of the last user message, or the seed's `input`",
        "MESSAGES": "the conversation in the shape that `messages` asks for",
        "SYSTEM_PROMPT": "text of the system messages, when `messages.system` is `separate`",
        "MODEL_NAME": "`upstream_model`, else the registered name",
        "MODEL_TEMPERATURE": "the caller's temperature",
        "TOP_P": "the caller's top_p",
        "SEED": "the caller's seed",
        "N": "how many answers the caller wants",
        "MAX_TOKENS": "the caller's max_completion_tokens, else max_tokens",
        "STREAM": "true or false, as this call is made",
        "INPUT": "the input of an embedding request",
        "SIZE": 'the wanted size, such as "640x480"',
        "WIDTH": "the first half of the size, a number",
        "HEIGHT": "the second half of the size, a number",
        "SECONDS": "the wanted length in seconds, a number",
        "REQUEST_ID": "the request's id",
        "ROLE": "the role of one message, in `messages.item`",
        "CONTENT": "the text of one message, in `messages.item`",
        "JOB_ID": "the id of a submitted job",
        "RESP": "{RESP:path}: a value of the worker's earlier reply",
        "ACCESS_TOKEN": "the token of a token exchange",
        "REQUEST": "{REQUEST:path}: any field of the caller's request as it came",
    }
)
_NO_TYPING_ERRORS: Final = frozenset({"TOP_K", "TOP_A"})


def check_name(name: str) -> str | None:
    """The known name that `name` is one typing error away from, or None when it may stand as it is."""
    if name in KNOWN or name in _NO_TYPING_ERRORS or len(name) == 1:
        return None
    return next((known for known in KNOWN if len(known) > 1 and _one_slip(name, known)), None)


def _one_slip(a: str, b: str) -> bool:
    """One letter missing, doubled, wrong, or two neighbours swapped."""
    if len(a) == len(b):
        wrong = [i for i in range(len(a)) if a[i] != b[i]]
        if len(wrong) == 2:
            i, j = wrong
            return j == i + 1 and a[i] == b[j] and a[j] == b[i]
        return len(wrong) == 1
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    if len(longer) != len(shorter) + 1:
        return False
    return any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))
