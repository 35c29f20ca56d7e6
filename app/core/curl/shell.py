"""A command line into its words, as a shell would: quotes, line continuations, variables. Nothing is run."""

from __future__ import annotations

import re

from app.core.errors import InvalidRequest

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?:[:?+-][^}]*)?\}|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "0": "\0"}
_ANSI = re.compile(r"\\(?:u(?P<code>[0-9A-Fa-f]{4})|x(?P<byte>[0-9A-Fa-f]{2})|(?P<char>.))", re.DOTALL)
_CONTINUED = re.compile(r"\\\r?\n")


class CurlError(InvalidRequest):
    """A curl command that cannot be made a registration; the message says which part of it."""

    code = "invalid_curl"


def words(command: str) -> list[str]:
    """Words up to the first pipe, redirection or second command. `$NAME` becomes `${env:NAME}`. Raises CurlError."""
    return _Words(command).read()


class _Words:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._word: list[str] | None = None
        self._words: list[str] = []

    def read(self) -> list[str]:
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in "|;&<>":
                self._stop(char)
                break
            self._step(char)
        self._end_word()
        return self._words

    def _step(self, char: str) -> None:
        if char.isspace():
            self._end_word()
            self._at += 1
        elif char == "#" and self._word is None:
            line_end = self._text.find("\n", self._at)
            self._at = len(self._text) if line_end < 0 else line_end
        elif char == "'":
            self._add(self._until("'"))
        elif char == '"':
            self._double_quoted()
        elif self._text.startswith("$'", self._at):
            self._ansi_quoted()
        else:
            self._plain(char)

    def _stop(self, char: str) -> None:
        if char == "<":
            raise CurlError("The command reads its body from elsewhere (<); write it after -d.")
        if char == ">" and self._word is not None and "".join(self._word).isdigit():
            self._word = None  # the 2 of 2>

    def _until(self, quote: str) -> str:
        end = self._text.find(quote, self._at + 1)
        if end < 0:
            raise CurlError(f"A quote of the command does not close: {self._text[self._at : self._at + 20]}…")
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return inside

    def _ansi_quoted(self) -> None:
        self._at += 2
        start = self._at
        while self._at < len(self._text) and self._text[self._at] != "'":
            self._at += 2 if self._text[self._at] == "\\" else 1
        if self._at >= len(self._text):
            raise CurlError("A quote of the command ($'…) does not close.")
        self._add(_ANSI.sub(_unescaped, self._text[start : self._at]))
        self._at += 1

    def _double_quoted(self) -> None:
        self._at += 1
        self._add("")
        while True:
            char = self._text[self._at : self._at + 1]
            if char == "":
                raise CurlError('A quote of the command (") does not close.')
            if char == '"':
                self._at += 1
                return
            if char == "\\" and self._text[self._at + 1 : self._at + 2] in ('"', "\\", "$", "`"):
                self._add(self._text[self._at + 1])
                self._at += 2
            else:
                self._plain(char, quoted=True)

    def _plain(self, char: str, *, quoted: bool = False) -> None:
        if char == "`" or self._text.startswith("$(", self._at):
            raise CurlError("The command runs another one inside ($(…)); put its result into an environment variable.")
        if continued := _CONTINUED.match(self._text, self._at):
            self._at = continued.end()
        elif variable := _VARIABLE.match(self._text, self._at):
            self._add(f"${{env:{variable['braced'] or variable['bare']}}}")
            self._at = variable.end()
        elif char == "\\" and not quoted:
            self._add(self._text[self._at + 1 : self._at + 2])
            self._at += 2
        else:
            self._add(char)
            self._at += 1

    def _add(self, text: str) -> None:
        if self._word is None:
            self._word = []
        self._word.append(text)

    def _end_word(self) -> None:
        if self._word is not None:
            self._words.append("".join(self._word))
        self._word = None


def _unescaped(match: re.Match[str]) -> str:
    if match["char"] is None:
        return chr(int(match["code"] or match["byte"], 16))
    return _ESCAPES.get(match["char"], match[0])
