"""Proof that ``trades.csv`` says what the journal says. Reads both, changes neither."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from daemon.runtime.run_folder import DATABASE
from daemon.runtime.trade_log import COLUMNS, NAME, ClosedTrades, cells
from state.journal import read

_SHOWN: Final = 5


class Compared(NamedTuple):
    """``rows`` are in the file; ``lacking`` trades of the journal's end are not in it yet.

    ``findings`` has one sentence for each thing that does not hold.
    """

    rows: int
    lacking: int
    findings: list[str]


def compare(folder: Path, *, whole: bool) -> Compared:
    """Compare the file of a run folder with the trades that its journal closes, row by row.

    Unless ``whole`` (a run that was killed, or still runs) the file may lack trades at its end.

    Raises:
        FoliodError: the journal cannot be read or folded.
    """
    try:
        found, findings = _rows(folder / NAME)
    except FileNotFoundError:
        return Compared(0, 0, [f"{NAME} is missing"])
    except (OSError, ValueError, csv.Error) as problem:
        return Compared(0, 0, [f"{NAME} cannot be read: {problem}"])
    rows, missing, at = len(found), [], 1
    for expected in _expected(folder):
        line, row = found.pop(expected[0], (0, []))
        if not line:
            missing.append(f"trade {expected[0]} closed, but {NAME} has no row of it")
            continue
        if not whole and missing:
            findings += missing
            missing = []
        findings += _row(line, row, expected)
        if line < at:
            findings.append(f"{NAME} line {line} (trade {expected[0]}) is out of order")
        at = line
    findings += [
        f"{NAME} line {line} is of trade {name}, which the journal does not know"
        for name, (line, _) in found.items()
    ]
    lacking = 0 if whole else len(missing)
    return Compared(rows, lacking, _shortened(findings if lacking else findings + missing))


def _rows(path: Path) -> tuple[dict[str, tuple[int, list[str]]], list[str]]:
    """Return (line, cells) of each trade in the file, and what is wrong with the file itself."""
    found: dict[str, tuple[int, list[str]]] = {}
    findings = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        if next(reader, None) != list(COLUMNS):
            findings.append(f"{NAME} line 1 is not the header {','.join(COLUMNS)}")
        for row in reader:
            name = row[0] if row else ""
            if name in found:
                findings.append(f"{NAME} line {reader.line_num} is of trade {name} a second time")
            else:
                found[name] = (reader.line_num, row)
    return found, findings


def _expected(folder: Path) -> Iterator[list[str]]:
    """Yield the cells of every closed trade of the journal, in the order they closed."""
    trades = ClosedTrades()
    for seq, entry in read(folder / DATABASE):
        trades.take(seq, entry)
        for trade in trades.closed():
            yield cells(trade)


def _row(line: int, row: list[str], expected: list[str]) -> list[str]:
    where = f"{NAME} line {line} (trade {expected[0]})"
    if len(row) != len(COLUMNS):
        return [f"{where} has {len(row)} fields, expected {len(COLUMNS)}"]
    found = [
        f"{name} is {one or 'empty'}, the journal says {other or 'empty'}"
        for name, one, other in zip(COLUMNS, row, expected, strict=True)
        if one != other
    ]
    return [f"{where}: {'; '.join(found)}"] if found else []


def _shortened(findings: list[str]) -> list[str]:
    more = len(findings) - _SHOWN
    return findings[:_SHOWN] + ([f"{NAME}: {more} more findings"] if more > 0 else [])
