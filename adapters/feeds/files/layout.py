"""Layout: where in a row of text the stamp and the prices are. All a dialect has to find out.

A dialect module looks at the first lines and answers with a layout; it reads no rows itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from adapters.feeds.files import stamps
from adapters.feeds.files.spec import nearest
from state.errors import FeedError

PRICE_NAMES: Final = ("open", "high", "low", "close")
ASK_NAMES: Final = ("ask_open", "ask_high", "ask_low", "ask_close")
SHOWN: Final = 60
"""Characters of a user's line shown in a message."""


class Clock(StrEnum):
    """How stamps are written: with an offset, as local wall time, as an epoch, by template."""

    OFFSET = "offset"
    LOCAL = "local"
    EPOCH = "epoch"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Layout:
    """How one file writes its rows.

    ``fields`` is the number of fields of every row; ``time``, ``price`` (open, high, low, close),
    ``ask`` and ``volume`` are 0-based positions. ``names`` are the columns' names, for messages.
    ``unit_ns`` is the length of one epoch unit; ``templates`` go with ``time`` one to one.
    ``stamp`` is what the dialect defines, None where it does not. ``header_lines`` precede the
    first row. ``newest_first``: the file runs backwards in time.
    """

    dialect: str
    delimiter: str
    header_lines: int
    fields: int
    time: tuple[int, ...]
    price: tuple[int, int, int, int]
    names: tuple[str, ...]
    clock: Clock
    volume: int | None = None
    ask: tuple[int, int, int, int] | None = None
    unit_ns: int = 1
    templates: tuple[str, ...] = ()
    stamp: str | None = "open"
    newest_first: bool = False

    @property
    def is_local(self) -> bool:
        """Return whether stamps are wall time, so that only a zone makes instants of them."""
        return self.clock in (Clock.LOCAL, Clock.TEMPLATE)

    def read_stamp(self, row: Sequence[str]) -> int | None:
        """Return the stamp of one split row in ns, or None when it cannot be read.

        UTC for OFFSET and EPOCH, wall time counted as if it were UTC otherwise.
        """
        text = [row[i].strip() for i in self.time]
        if self.clock is Clock.EPOCH:
            return stamps.epoch_ns(text[0], self.unit_ns)
        if self.clock is Clock.TEMPLATE:
            return stamps.template_ns(text, self.templates)
        read = stamps.iso_ns(text[0])
        if read is None or read[1] != (self.clock is Clock.OFFSET):
            return None
        return read[0]


def shown(text: str) -> str:
    """Return a line as it may be put into a message: short, one line, no control characters."""
    cut = text if len(text) <= SHOWN else text[:SHOWN] + "..."
    return repr(cut)


def split(line: str, delimiter: str) -> list[str]:
    """Split one line into fields; fields may be quoted."""
    if '"' not in line:
        return line.split(delimiter)
    import csv

    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return [line]


def find_columns(
    names: Sequence[str], wanted: Mapping[str, Sequence[str]], what: str
) -> dict[str, int]:
    """Find columns by name; ``wanted`` maps our name to the names it goes by in this dialect.

    Raises:
        FeedError: a column is missing or there twice; says which, what was found and what is near.
    """
    found: dict[str, int] = {}
    problems: list[str] = []
    for ours, aliases in wanted.items():
        places = [i for i, name in enumerate(names) if name in aliases]
        if len(places) == 1:
            found[ours] = places[0]
        elif places:
            problems.append(f"column {names[places[0]]!r} is there {len(places)} times")
        else:
            spare = [n for n in names if n and all(n not in a for a in wanted.values())]
            problems.append(f"column {aliases[0]!r} is missing{nearest(aliases[0], spare)}")
    if problems:
        columns = ", ".join(shown(name) for name in names[:12])
        raise FeedError(f"looks like {what}, but {'; '.join(problems)}. Columns found: {columns}")
    return found


def quad(found: Mapping[str, int], names: Sequence[str]) -> tuple[int, int, int, int]:
    """Return the positions of four prices."""
    first, second, third, fourth = (found[name] for name in names)
    return first, second, third, fourth


def header(line: str, delimiter: str) -> tuple[str, ...]:
    """Return the column names of a header line, trimmed and in lower case."""
    return tuple(name.strip().strip("<>").lower() for name in split(line, delimiter))


def iso_clock(lines: Sequence[str], delimiter: str, place: int, what: str) -> Clock:
    """Say whether ISO stamps in column ``place`` carry an offset, from the first readable row.

    Raises:
        FeedError: no row of the sample has a readable stamp.
    """
    for line in lines:
        row = split(line, delimiter)
        read = stamps.iso_ns(row[place].strip()) if len(row) > place else None
        if read is not None:
            return Clock.OFFSET if read[1] else Clock.LOCAL
    if not lines:
        return Clock.OFFSET
    raise FeedError(
        f"looks like {what}, but no row begins with a time like 2017-01-02T07:00:00Z; the first"
        f" row is {shown(lines[0])}"
    )
