"""What was done and what came of it: to the terminal as it happens, and as a page of docs/."""

from __future__ import annotations

import datetime
import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FENCES = {"python": "```python", "text": "```text", "console": "```console"}


@dataclass(frozen=True)
class Checked:
    """One check. `why` says how it failed, or why it was skipped (`ok` None); `took` is in seconds."""

    part: str
    name: str
    ok: bool | None
    why: str = ""
    took: float = 0.0
    model: str = ""


@dataclass
class Transcript:
    """`hidden` are texts of this machine, each with what stands for it."""

    hidden: dict[str, str] = field(default_factory=dict)
    page: list[str] = field(default_factory=list)
    checks: list[Checked] = field(default_factory=list)
    part: str = ""

    def heading(self, text: str) -> None:
        self.part = text
        print(f"\n== {text}", flush=True)
        self.page.append(f"\n## {text}\n")

    def say(self, text: str) -> None:
        print(self._clean(text), flush=True)
        self.page.append(self._clean(text) + "\n")

    def block(self, kind: str, text: str) -> None:
        print(self._clean(text.rstrip()), flush=True)
        self.page.append(f"{FENCES[kind]}\n{self._clean(text.rstrip())}\n```\n")

    def check(self, name: str, test: Callable[[], object]) -> None:
        """Runs `test`; whatever it raises is its failure, and the next check is made all the same."""
        started, why = time.monotonic(), ""
        try:
            test()
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        self.result(Checked(self.part, name, not why, why, time.monotonic() - started))

    def skip(self, name: str, why: str) -> None:
        self.result(Checked(self.part, name, None, why))

    def result(self, checked: Checked) -> None:
        words = {True: "passed", False: "FAILED", None: "skipped"}[checked.ok]
        line = f"-- {words} after {checked.took:.1f} s: {checked.name} {checked.model} {checked.why}"
        print(self._clean(line.rstrip()), flush=True)
        self.checks.append(checked)

    def run_script(self, python: Path, script: Path, env: Mapping[str, str]) -> None:
        """A script of checks in another environment: it prints one JSON value a line, a call of this class each."""
        with subprocess.Popen([python, script], env=env, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                self._replay(json.loads(line))
        if process.returncode:
            self.result(Checked(self.part, script.name, False, f"ended with status {process.returncode}"))

    def _replay(self, said: Mapping[str, Any]) -> None:
        if said["what"] == "block":
            self.block(said["kind"], said["text"])
        elif said["what"] == "say":
            self.say(said["text"])
        else:
            took, model = float(said["took"]), str(said["model"])
            self.result(Checked(self.part, said["name"], bool(said["ok"]), said["why"], took, model))

    def table(self) -> str:
        """A row for each check, with the models that it was made of."""
        rows: dict[tuple[str, str], list[str]] = {}
        for each in self.checks:
            words = {True: "passed", False: "**failed**", None: "skipped"}[each.ok]
            outcome = f"{words}: {each.why}" if each.why else words
            rows.setdefault((each.part, each.name), []).append(f"{each.model} {outcome}".strip())
        body = [f"| {part} | {name} | {', '.join(outcomes)} |" for (part, name), outcomes in rows.items()]
        return self._clean("\n".join(["| part | check | outcome |", "|---|---|---|", *body]))

    def count(self, ok: bool | None) -> int:
        return sum(each.ok is ok for each in self.checks)

    def write(self, path: Path, title: str, versions: Sequence[tuple[str, str]]) -> None:
        rows = "\n".join(f"| {name} | {version} |" for name, version in versions)
        today = datetime.datetime.now(datetime.UTC).date()
        head = f"{title}\n\nRun on {today}.\n\n| | version |\n|---|---|\n{rows}\n"
        foot = f"\n## Checks\n\n{self.table()}\n"
        path.write_text("\n".join([head, *self.page]) + foot, encoding="utf-8")

    def _clean(self, text: str) -> str:
        for real, shown in self.hidden.items():
            text = text.replace(real, shown)
        return text
