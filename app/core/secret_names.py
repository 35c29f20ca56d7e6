"""Which names of headers, parameters and fields hold a secret."""

from __future__ import annotations

import re

_SECRET_NAME = re.compile(
    r"(?:^|[^a-z])(?:api_?key|key|token|secret|passwd|password|pwd|sig|signature|credentials?|auth|authorization|cookie)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def names_a_secret(name: str) -> bool:
    """`api_key`, `X-Auth-Token`, `accessKey`; not `max_tokens` or `keywords`."""
    return bool(_SECRET_NAME.search(_CAMEL.sub("_", name).lower()))
