"""The parity report: a daemon's trading day decided once more, held to what it did decide (C2, V1).

From the newest snapshot before the day the same bars and commands are put before the same core, and
every entry is held to the journal, up to the end of the day or of the journal. The database is only
read, so the daemon may be at work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from config.fingerprint import fingerprint
from config.settings import Settings
from daemon.feed_wiring import recorded_source
from daemon.reports.difference import in_words
from daemon.reports.whole_file import write_whole
from daemon.runtime.past import Past
from daemon.runtime.recovery import Divergence, Work
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.version import VERSION
from daemon.trading import Hooks, Trading
from state.codec import Snapshot
from state.entries import DayRolled, RunStarted
from state.errors import FoliodError, JournalError
from state.journal import read_snapshots
from state.queries import Book, open_book
from state.units import day_text, utc_text

SCHEMA: Final = 1


class Parity(msgspec.Struct, frozen=True):
    """What deciding a day again showed.

    ``ok``: every entry looked at came out again. ``whole``: nothing of the day was left out, else
    ``left_out`` says what and why. ``since_seq`` (exclusive) to ``until_seq`` (inclusive) are the
    entries looked at, ``since`` and ``until`` their instants; ``entries`` counts those that came
    out again. ``final``: the day has rolled. ``divergence`` names the first difference in words,
    ``problem`` why nothing could be decided; both empty when there is none.
    """

    schema: int
    date: str
    final: bool
    ok: bool
    whole: bool
    since_seq: int
    until_seq: int
    since: str
    until: str
    entries: int
    divergence: str
    problem: str
    left_out: str
    version: str
    config_hash: str


class _Part(msgspec.Struct):
    """The part of a journal that can be decided again; ``kept`` None: from its beginning."""

    kept: tuple[int, Snapshot] | None
    until: int
    left_out: str

    @property
    def since(self) -> int:
        """The entry after which it begins."""
        return self.kept[0] if self.kept is not None else 0


async def redecide(home: Path, settings: Settings, day: int | None = None) -> Parity:
    """Decide a trading day of the portfolio in ``home`` again; None: the one that has not rolled.

    Raises:
        JournalError: the database cannot be read, or does not know the day.
    """
    config_hash = fingerprint(settings)
    async with open_book(home / DATABASE) as book:
        if day is None:
            day = await book.present_day()
        begin, end, final = await _entries_of(book, home, day)
        part = await _part(book, home / DATABASE, begin, end, config_hash)
        if part is None:
            why = (
                f"it was decided under another configuration than config.toml in {home} is"
                f" ({config_hash[:12]})"
            )
            part = _Part(None, 0, why)
        since = await _instant(book, part.since)
        until = await _instant(book, part.until)
    divergence = problem = ""
    entries = part.until - part.since
    if part.until:
        try:
            past = Past(home / DATABASE, part.kept, part.until)
            source, begin_ns = recorded_source(settings, home)
            Trading(
                settings, home, home, Hooks(), past=past, source=source, begin_ns=begin_ns
            ).close()
        except Divergence as found:
            divergence = in_words(found.seq, found.kept, found.again)
            entries = found.seq - part.since - 1
        except FoliodError as error:
            problem, entries = str(error), 0
    else:
        problem = part.left_out
    return Parity(
        schema=SCHEMA,
        date=day_text(day),
        final=final,
        ok=not divergence and not problem,
        whole=not part.left_out,
        since_seq=part.since,
        until_seq=part.until,
        since=since,
        until=until,
        entries=max(0, entries),
        divergence=divergence,
        problem=problem,
        left_out=part.left_out,
        version=VERSION,
        config_hash=config_hash,
    )


async def _entries_of(book: Book, home: Path, day: int) -> tuple[int, int, bool]:
    """Return the entry before the day's first, its last so far, and whether the day has rolled."""
    begin = 0
    async for line in book.entries_after(0, kinds=("DayRolled",)):
        entry = line.entry
        if isinstance(entry, DayRolled):
            if entry.day == day:
                return begin, line.seq, True
            begin = line.seq
    if day != await book.present_day():
        raise JournalError(f"{home}: the journal knows no trading day {day_text(day)}")
    return begin, await book.last_seq(), False


async def _part(book: Book, database: Path, begin: int, end: int, config_hash: str) -> _Part | None:
    """Find the snapshot to begin with, and where another configuration ends the part.

    None: nothing of it was decided under this configuration.
    """
    runs = [(one.seq, one.entry) async for one in book.entries_after(0, kinds=("RunStarted",))]
    starts = [(seq, one.config_hash) for seq, one in runs if isinstance(one, RunStarted)]
    usable = [
        (seq, kept)
        for seq, kept in read_snapshots(database)
        if seq < end and _hash_of(kept) == config_hash
    ]
    early = [one for one in usable if one[0] <= begin]
    from_first = bool(starts) and starts[0][1] == config_hash
    left_out = ""
    if early:
        kept: tuple[int, Snapshot] | None = early[0]
    elif from_first and not (begin and usable):
        kept = None
    elif usable:
        kept = usable[-1]
        at = await _instant(book, kept[0])
        left_out = f"what was decided before {at}: the oldest usable snapshot is of then"
    else:
        return None
    since = kept[0] if kept is not None else 0
    for seq, other in starts:
        if since < seq <= end and other != config_hash:
            at = await _instant(book, seq)
            return _Part(kept, seq - 1, f"what was decided after {at}: the configuration changed")
    return _Part(kept, end, left_out)


def _hash_of(kept: Snapshot) -> str:
    try:
        return msgspec.json.decode(kept.work, type=Work).config_hash
    except msgspec.MsgspecError:
        return ""  # of another version: not to be gone on from


async def _instant(book: Book, seq: int) -> str:
    async for line in book.entries_after(max(0, seq - 1)):
        return utc_text(line.at_ns)
    return ""


def write_parity(home: Path, parity: Parity) -> Path:
    """Write ``reports/daily/YYYY-MM-DD.parity.json`` and ``.md``; return the latter's path.

    Raises:
        OSError: they cannot be written.
    """
    folder = home / "reports" / "daily"
    path = folder / f"{parity.date}.parity.md"
    write_whole(path, "".join(f"{line}\n" for line in text(parity)).encode())
    encoded = msgspec.json.format(msgspec.json.encode(parity), indent=2) + b"\n"
    write_whole(folder / f"{parity.date}.parity.json", encoded)
    return path


def text(parity: Parity) -> list[str]:
    """Write a parity report as lines of Markdown."""
    state = "final" if parity.final else "the day goes on"
    verdict = (
        f"{parity.entries} entries, {parity.since_seq + 1} to {parity.until_seq},"
        f" {parity.since} to {parity.until}: decided again, all of them came out."
    )
    if parity.divergence:
        verdict = (
            f"The first {parity.entries} entries after number {parity.since_seq} came out again."
            f" The first difference: {parity.divergence}"
        )
    elif parity.problem:
        verdict = f"It could not be decided again: {parity.problem}"
    lines = [f"# Parity of {parity.date} ({state})", "", verdict]
    if parity.left_out and not parity.problem:
        lines += ["", f"Left out: {parity.left_out}."]
    lines += ["", f"foliod {parity.version}, configuration {parity.config_hash}."]
    return lines
