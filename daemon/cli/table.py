"""Tables of a command: aligned text, CSV or JSON. Names in them may hold anything.

Text and CSV never carry a terminal escape or a spreadsheet formula; JSON escapes by itself. Text is
for people: it rounds money and fits the terminal; CSV and JSON hold every column and digit.
"""

from __future__ import annotations

import csv
import shutil
import sys
import textwrap
from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Final, Literal

import click
import msgspec

from daemon.core.plain import plain
from daemon.runtime.trade_log import safe_text

Cell = str | int | float | Decimal | bool | None
Style = Literal["text", "csv", "json"]

MONEY: Final = frozenset(
    (
        *("pnl", "fees", "gross", "net", "risk"),
        *("cash", "open_pnl", "equity", "high_water", "start_equity", "end_equity"),
    )
)
"""Columns of money: text shows them to the cent."""
_INSTANT: Final = 20
"""Characters of an instant, which is not broken."""
_COARSE: Final = 10
"""An amount from which on cents are enough; columns of less, as of a coin, keep every digit."""


def print_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    style: Style,
    spare: Sequence[str] = (),
) -> None:
    """Print rows on stdout; an empty table is its head in CSV, ``[]`` in JSON, a word in text.

    On a terminal too narrow for the text, columns of ``spare`` are left out, the first one first,
    and stderr says which.
    """
    if style == "json":
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows([_csv_cell(cell) for cell in row] for row in rows)
    elif rows:
        _print_text(columns, _cents(columns, rows), spare)
    else:
        click.echo("none")


def _print_text(
    columns: Sequence[str], rows: Sequence[Sequence[Cell]], spare: Sequence[str]
) -> None:
    width = terminal_width()
    shown, left_out = lines(columns, rows), []
    for name in spare:
        if width is None or max(map(len, shown)) <= width:
            break
        left_out.append(name)
        kept = [index for index, column in enumerate(columns) if column not in left_out]
        shown = lines([columns[i] for i in kept], [[row[i] for i in kept] for row in rows])
    for line in shown:
        click.echo(line)
    if left_out:
        click.echo(f"left out: {', '.join(left_out)} (a wider window, --csv or --json)", err=True)


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _cents(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Sequence[Sequence[Cell]]:
    """Round the columns of money for the eye."""
    rounded = {
        index
        for index, name in enumerate(columns)
        if name in MONEY
        and any(
            isinstance(one, Decimal) and abs(one) >= _COARSE for one in (r[index] for r in rows)
        )
    }
    return [
        [
            round(cell, 2) if index in rounded and isinstance(cell, Decimal) else cell
            for index, cell in enumerate(row)
        ]
        for row in rows
    ]


def wrapped_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None
) -> list[str]:
    """Return the lines of a table of texts; where they are wider than ``width``, the last two
    columns share what the others leave, and a row may need several lines.
    """
    found = lines(columns, rows)
    if width is None or max(map(len, found)) <= width:
        return found
    fixed = sum(max(map(len, one)) + 2 for one in list(zip(columns, *rows, strict=True))[:-2])
    left = max(_INSTANT, (width - fixed - 2) // 2)
    right = max(_INSTANT // 2, width - fixed - 2 - left)
    parts: list[Sequence[Cell]] = []
    for *head, observed, limit in rows:
        tails = zip_longest(_parts(observed, left), _parts(limit, right), fillvalue=" ")
        for place, tail in enumerate(tails):
            parts.append([*(head if place == 0 else [" "] * len(head)), *tail])
    return lines(columns, parts)


def _parts(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


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
