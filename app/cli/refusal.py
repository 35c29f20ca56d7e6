"""How a command says no: one sentence on stderr and exit code 1, never a traceback for an operator's mistake."""

from __future__ import annotations

from typing import IO, Any

import click

from app.core.errors import RollcallError
from app.settings import SettingsError


class Refused(click.ClickException):
    """The command was understood and could not be done; the message is one sentence."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class Door(click.Group):
    """A group whose commands may raise RollcallError, SettingsError or OSError; the operator reads a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RollcallError as error:
            raise Refused(error.message) from error
        except SettingsError as error:
            raise Refused(str(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            place = f": {error.filename}" if error.filename else ""
            raise Refused(f"{error.strerror or error}{place}") from error
