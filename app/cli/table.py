"""Tables for people: whole lines where they fit or nobody counts columns, a line per long value where they do not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.measure import Measurement
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from app.cli.console import console, plain

_UNBOUNDED = 10_000
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Column:
    """`long` ones get a line of their own below the row where the terminal is too narrow for all."""

    title: str
    right: bool = False
    long: bool = False


Cell = str | Text


def show(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    screen = console()
    everything = _table(columns, rows)
    width = Measurement.get(screen, screen.options.update_width(_UNBOUNDED), everything).maximum
    if not screen.is_terminal and "COLUMNS" not in os.environ:
        screen.width = width  # a pipe has no edge: one line per row, so that grep and awk work
    if width <= screen.width:
        screen.print(everything)
    else:
        _show_narrow(screen, columns, rows)


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    return table


def _show_narrow(screen: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    short = [place for place, column in enumerate(columns) if not column.long]
    table = _table([columns[place] for place in short], [[row[place] for place in short] for row in rows])
    head, *lines = screen.render_lines(table, pad=False)
    screen.print(Segments([*head, Segment.line()]), end="")
    for line, row in zip(lines, rows, strict=True):
        screen.print(Segments([*line, Segment.line()]), end="")
        for column, cell in zip(columns, row, strict=True):
            if column.long and (text := _text(cell)).plain:
                screen.print(Text(_INDENT) + text, soft_wrap=True)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(plain(cell).replace("\n", " "))
