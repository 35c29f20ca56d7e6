"""The requests that a system understands, from the words of its registration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.player.checking import JSON, Call, laid_over
from tests.player.systems import System

_KINDS = {"json": JSON, "form": "application/x-www-form-urlencoded", "multipart": "multipart/form-data"}
_OVERLAID = ("req_type", "req_url_template", "header", "body", "req_param")


class Calls:
    """Of a system at `origin`, which is a URL with a path; the calls are those below it.

    `stream`, `poll`, `token` and `health` are None where the system has no such thing.
    """

    def __init__(self, system: System, origin: str) -> None:
        words, job = system.registration, system.job or {}
        self._system, self._origin = system, origin
        self.whole = self._call(words)
        self.stream = self._call(self._streaming(words), stream=True) if self._streams(words) else None
        self.poll = self._of_block("job", "GET", job.get("url")) if job else None
        self.token = (
            self._call({**words["auth"], "header": words["auth"].get("header", {})}) if "auth" in words else None
        )
        self.health = self._of_block("health", "GET") if words.get("health", {}).get("req_url_template") else None
        self.download_header: Mapping[str, str] = words.get("job", {}).get("download", {}).get("header", {})
        self.media = {_target(url, origin) for url in self._results() if url.startswith(origin)}

    def download(self, target: str) -> Call:
        return self._call({"req_type": "GET", "req_url_template": target, "header": self.download_header})

    def _of_block(self, name: str, method: str, url: str | None = None) -> Call:
        """Polls and probes send the headers of the calls where they have none of their own."""
        words, block = self._system.registration, self._system.registration[name]
        header = block.get("header", words.get("header", {}))
        url = url or block["req_url_template"]
        return self._call({"req_type": method, **block, "req_url_template": url, "header": header, "body": None})

    def _call(self, words: Mapping[str, Any], *, stream: bool = False) -> Call:
        params = {name: str(value) for name, value in words.get("req_param", {}).items()}
        url = words["req_url_template"].removeprefix(self._origin)
        names = self._names(stream)
        kind = _KINDS[words.get("body_type", "json")]
        return Call(words.get("req_type", "POST"), url, words.get("header", {}), params, words.get("body"), names, kind)

    def _names(self, stream: bool) -> dict[str, Any]:
        words = self._system.registration
        names = {"MODEL_NAME": words.get("upstream_model") or words["model_name"], "STREAM": stream}
        if self._system.job:
            names["JOB_ID"] = self._system.job["id"]
        if self._system.token:
            names["ACCESS_TOKEN"] = self._system.token["token"]
        return names

    def _streams(self, words: Mapping[str, Any]) -> bool:
        return ("stream" in words or bool(words.get("is_stream"))) and "job" not in words

    def _streaming(self, words: Mapping[str, Any]) -> Any:
        return laid_over(words, {name: value for name, value in words.get("stream", {}).items() if name in _OVERLAID})

    def _results(self) -> list[str]:
        job = self._system.job
        found = job.get("result") if job else (self._system.want or [None])[0]
        return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, str)]


def _target(url: str, origin: str) -> str:
    parts = urlsplit(url.removeprefix(origin))
    return parts.path + (f"?{parts.query}" if parts.query else "")
