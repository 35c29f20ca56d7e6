"""What models are for, and where each task is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.core.conversation import Task
from app.core.dialect import dialect_of
from app.core.worker import Worker

# (what such a model does, the route)
ROUTES: Final[dict[Task, tuple[str, str]]] = {
    "text": ("answers in text", "/v1/chat/completions"),
    "image": ("makes images", "/v1/images/generations"),
    "video": ("makes videos", "/v1/videos"),
    "embedding": ("embeds texts", "/v1/embeddings"),
}


def tasks_of(workers: Iterable[Worker]) -> tuple[Task, ...]:
    """The tasks of these workers, each once, in their order."""
    return tuple(dict.fromkeys(dialect_of(worker).task for worker in workers))


def task_of_prompt(workers: Iterable[Worker]) -> Task:
    """What a prompt alone asks of these workers: text where any of them answers in text, else images or a video."""
    asked: Task = "text"
    for worker in workers:
        task = dialect_of(worker).task
        if task == "text":
            return task
        if asked == "text" and task != "embedding":
            asked = task
    return asked
