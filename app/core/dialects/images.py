"""OpenAI's dialect of callers for images: {model, prompt, n, size, …} → a list of URLs or of base64."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.core.conversation import ChatRequest
from app.core.dialects.fields import check_model, check_text, missing, refused
from app.core.errors import InvalidRequest
from app.core.job_record import Job

FORMATS: Final = ("url", "b64_json")
MOST_IMAGES: Final = 10
_TEXTS: Final = ("size", "quality", "style", "background", "moderation", "output_format", "user")


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """`chat` is what a worker is asked; `base64`: the caller wants the images themselves, not where they are."""

    chat: ChatRequest
    base64: bool


def parse(body: Any, request_id: str) -> ImageRequest:
    """Raises InvalidRequest naming the field. `response_format` is met here, and no worker is told."""
    if not isinstance(body, dict):
        raise InvalidRequest('The body must be an object such as {"model": "NAME", "prompt": "…"}.')
    check_model("model", body.get("model"))
    prompt = body.get("prompt")
    if prompt is None:
        raise missing("prompt", "the description of the image, a string")
    check_text("prompt", prompt)
    _check_options(body)
    words = {name: value for name, value in body.items() if name not in ("response_format", "stream")}
    messages = ({"role": "user", "content": prompt},)
    chat = ChatRequest(body["model"], messages, words, False, request_id, task="image")
    return ImageRequest(chat, body.get("response_format") == "b64_json")


def _check_options(body: dict[str, Any]) -> None:
    if body.get("response_format") not in (None, *FORMATS):
        raise refused("response_format", " or ".join(FORMATS), body["response_format"])
    if body.get("stream") not in (None, False):
        raise refused("stream", "false or left out: images come whole", body["stream"])
    count, seed = body.get("n"), body.get("seed")
    if count is not None and (type(count) is not int or not 1 <= count <= MOST_IMAGES):
        raise refused("n", f"a whole number from 1 to {MOST_IMAGES}", count)
    if seed is not None and type(seed) is not int:
        raise refused("seed", "a whole number", seed)
    for name in _TEXTS:
        if body.get(name) is not None:
            check_text(name, body[name])


def reply(images: Iterable[dict[str, Any]], said: Mapping[str, Any], *, created: int) -> dict[str, Any]:
    """`images` are objects with `url` or `b64_json`; `said` is about all of them; `created` is UTC seconds."""
    return {"created": created, "data": list(images), **said}


def pending(job: Job) -> dict[str, Any]:
    """Of a job that is not over; `progress` is 0 to 100."""
    return {"id": job.id, "created": int(job.created_at), "status": "in_progress", "progress": int(job.progress or 0)}
