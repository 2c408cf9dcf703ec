"""Tables of a command: aligned text, CSV or JSON. Names in them may hold anything.

Text and CSV never carry a terminal escape or a spreadsheet formula; JSON escapes by itself.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import click
import msgspec

from daemon.core.plain import plain
from daemon.runtime.trade_log import safe_text

Cell = str | int | float | Decimal | bool | None
Style = Literal["text", "csv", "json"]


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Cell]], style: Style) -> None:
    """Print rows on stdout; an empty table is its head in CSV, ``[]`` in JSON, a word in text."""
    if style == "json":
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows([_csv_cell(cell) for cell in row] for row in rows)
    elif rows:
        for line in lines(columns, rows):
            click.echo(line)
    else:
        click.echo("none")


def lines(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Return the aligned lines of a table, numbers to the right, head first."""
    texts = [[cell_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    right = [
        any(isinstance(row[index], int | float | Decimal) for row in rows)
        for index in range(len(columns))
    ]
    return [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in [list(columns), *texts]
    ]


def cell_text(cell: Cell) -> str:
    """Write a cell for people: a dash for nothing, R and ratios with at most four places."""
    if cell is None or cell == "":
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4f}".rstrip("0").rstrip(".")
    if isinstance(cell, Decimal):
        return format(cell, "f")
    return plain(str(cell))


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, str):
        return safe_text(cell)
    return str(cell)
