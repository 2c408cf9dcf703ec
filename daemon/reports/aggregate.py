"""Several sessions as one portfolio: their equity curves added up, measured, exported (A1-A4).

``python -m daemon.reports.aggregate DIR`` does what ``foliod aggregate DIR`` does, with fewer
options. Curves are added on a common clock (``aggregate_clock``); returns of sessions are never
strung together. Nothing here changes a session's file. All sessions are taken to be in one
currency: the files do not say which.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Final

import msgspec

from adapters.clock import SystemClock
from adapters.ports import Clock
from daemon.core.plain import plain
from daemon.reports import aggregate_metrics
from daemon.reports.aggregate_clock import add_up
from daemon.reports.aggregate_files import Curve, read_curve
from daemon.reports.aggregate_gate import Thresholds, failures
from daemon.reports.aggregate_workers import workers
from daemon.reports.metrics_correlation import correlate
from daemon.reports.whole_file import write_whole
from state.errors import ExitCode, FeedError, FoliodError
from state.units import utc_text

PATTERN: Final = "equity_*.csv"
FOLDER: Final = "logs"
JSON: Final = "aggregation.json"
HTML: Final = "aggregation_report.html"
SCHEMA: Final = 1

_RUN: Final = "run.json"
_WHOLE: Final = "equity_portfolio.csv"
_PREFIX: Final = "equity_"
_LOG: Final = logging.getLogger("foliod.aggregate")

Warn = Callable[[str], object]


class Session(msgspec.Struct, frozen=True):
    """A session: its name (the file's stem after ``equity_``), its file and its curve."""

    name: str
    file: str
    curve: Curve


class Skipped(msgspec.Struct, frozen=True):
    """A file that is no equity curve, and the one reason why."""

    file: str
    reason: str


class MultiSessionAggregator:
    """Adds up the sessions of a folder.

    ``load_sessions`` first; the rest computes what it needs once and remembers it. ``sessions`` are
    in the order of their names, ``skipped`` says which files were left out as broken, ``notes``
    what else the reader must know.
    """

    def __init__(
        self, folder: Path | str = FOLDER, *, clock: Clock | None = None, warn: Warn | None = None
    ) -> None:
        """Look at ``folder``; ``warn`` gets a line for each skipped file (default: the log)."""
        self.folder = Path(folder)
        self.sessions: list[Session] = []
        self.skipped: list[Skipped] = []
        self.notes: list[str] = []
        self._clock = SystemClock() if clock is None else clock
        self._warn = _LOG.warning if warn is None else warn
        self._total: Curve | None = None
        self._metrics: dict[str, Any] | None = None
        self._correlation: dict[str, Any] | None = None

    def load_sessions(self, pattern: str = PATTERN) -> int:
        """Read every file that matches and return how many sessions there are.

        A file that is no equity curve is skipped with a warning that names it and the reason. In
        the folder of a foliod run ``equity_portfolio.csv`` is left out, because the engines' curves
        add up to it, and an engine that has not traded (one row) counts as flat.

        Raises:
            FeedError: the folder cannot be read, or the pattern leads out of it.
        """
        self.sessions, self.skipped, self.notes = [], [], []
        self._total = self._metrics = self._correlation = None
        paths = self._matching(pattern)
        is_run = (self.folder / _RUN).is_file()
        if is_run and len(paths) > 1 and self.folder / _WHOLE in paths:
            paths.remove(self.folder / _WHOLE)
            self.notes.append(
                f"{_WHOLE} is left out: this is the folder of a foliod run, and the curves of its"
                " engines add up to it"
            )
        least = 1 if is_run else 2
        taken: set[str] = set()
        with workers() as each:
            for path, found in zip(paths, each(partial(_read, least), paths), strict=True):
                file = _text(path.relative_to(self.folder))
                if isinstance(found, str):
                    self.skipped.append(Skipped(file, found))
                    self._warn(f"skipped {plain(file)}: {found}")
                    continue
                name = _name(file, taken)
                taken.add(name)
                self.sessions.append(Session(name, file, found))
        return len(self.sessions)

    def compute_metrics(self) -> dict[str, Any]:
        """Return the measures of the portfolio and of each session, ready for JSON.

        docs/how-to/aggregate.md says what each key is; undefined measures are None.
        """
        if self._metrics is None:
            total = self.total()
            named = {one.name: one.curve for one in self.sessions}
            with workers() as each:
                measured = aggregate_metrics.measure(named, total, each)
            self._metrics = {
                **msgspec.to_builtins(measured),
                "notes": [*self.notes, *measured.notes],
                "skipped": [msgspec.to_builtins(one) for one in self.skipped],
                "generated_at": utc_text(self._clock.now_ns()),
            }
        return self._metrics

    def compute_correlation(self) -> dict[str, Any]:
        """Return the correlation of the sessions' returns by pairs, and the points they share.

        ``sessions`` names rows and columns; the rest is ``metrics_correlation.Correlation``.
        """
        if self._correlation is None:
            curves = [(one.curve.stamps_ns, one.curve.equity) for one in self.sessions]
            spacings = [one.curve.spacing_ns for one in self.sessions]
            with workers() as each:
                found: dict[str, Any] = msgspec.to_builtins(correlate(curves, spacings, each=each))
            self._correlation = {"sessions": [one.name for one in self.sessions], **found}
        return self._correlation

    def total(self) -> Curve:
        """Return the portfolio's equity: the sum of all sessions on their common clock."""
        if self._total is None:
            with workers() as each:
                self._total = add_up([one.curve for one in self.sessions], each)
        return self._total

    def export_json(self, path: Path | str = JSON) -> Path:
        """Write measures and correlation as one JSON object without NaN.

        Raises:
            OSError: the file cannot be written.
        """
        write_whole(Path(path), self.as_json().encode() + b"\n")
        return Path(path)

    def as_json(self, more: Mapping[str, Any] | None = None) -> str:
        """Return what ``export_json`` writes, with more keys in front when given."""
        found = {
            "schema": SCHEMA,
            **(more or {}),
            "folder": _text(self.folder),
            **self.compute_metrics(),
            "correlation": self.compute_correlation(),
        }
        return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()

    def generate_html_report(self, path: Path | str = HTML) -> Path:
        """Write the report: one file with tables, curves and the correlation, no script in it.

        Raises:
            OSError: the file cannot be written.
        """
        from daemon.reports.aggregate_page import report

        named = self.folder if self.folder.name else Path(self.folder.resolve().name)
        content = report(
            _text(named), self.compute_metrics(), self.compute_correlation(), self.total()
        )
        write_whole(Path(path), content)
        return Path(path)

    def _matching(self, pattern: str) -> list[Path]:
        if not self.folder.is_dir():
            what = "is not a folder" if self.folder.exists() else "there is no such folder"
            raise FeedError(f"{plain(_text(self.folder))}: {what}; give the one with {PATTERN}")
        parts = PurePath(pattern).parts
        if not parts or PurePath(pattern).is_absolute() or ".." in parts:
            raise FeedError(f"pattern {pattern!r} must name files inside the folder, as {PATTERN}")
        try:
            os.scandir(self.folder).close()
            return sorted(self.folder.glob(pattern))
        except OSError as error:
            raise FeedError(
                f"{plain(_text(self.folder))}: cannot be listed: {error.strerror or error}"
            ) from None


def run_aggregation(
    equity_dir: Path | str = FOLDER,
    output_json: Path | str = JSON,
    output_html: Path | str = HTML,
) -> dict[str, Any]:
    """Aggregate a folder, write both reports and return the measures.

    Raises:
        FeedError: the folder cannot be read.
        OSError: a report cannot be written.
    """
    aggregator = MultiSessionAggregator(equity_dir)
    aggregator.load_sessions()
    aggregator.export_json(output_json)
    aggregator.generate_html_report(output_html)
    return aggregator.compute_metrics()


def _read(least: int, path: Path) -> Curve | str:
    """Read a file; the reason when it is no curve."""
    try:
        curve = read_curve(path, least=least)
        assert curve.spacing_ns > 0  # Worked out here, on the thread that has it at hand.
        return curve
    except FeedError as reason:
        return str(reason)


def _text(path: PurePath) -> str:
    """Return a path as text that JSON can hold, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _name(file: str, taken: set[str]) -> str:
    """Return a session's name: what is left of its file without folder, ``equity_`` and ``.csv``.

    Where that is taken (a pattern over several folders), the whole name.
    """
    stem = file.rsplit("/", 1)[-1].removesuffix(".csv")
    name = stem.removeprefix(_PREFIX) or stem
    return name if name not in taken else file


def _main() -> int:
    """Run the module from a command line."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m daemon.reports.aggregate", description="Add up the sessions of a folder."
    )
    parser.add_argument("folder", nargs="?", default=FOLDER)
    parser.add_argument("--out-json", default=JSON)
    parser.add_argument("--out-html", default=HTML)
    parser.add_argument("--min-sharpe", type=float)
    parser.add_argument("--max-drawdown", type=float, metavar="PERCENT")
    given = parser.parse_args()
    try:
        metrics = run_aggregation(given.folder, given.out_json, given.out_html)
    except FoliodError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{error.filename}: {error.strerror or error}", file=sys.stderr)
        return ExitCode.JOURNAL
    found = failures(metrics, Thresholds(given.min_sharpe, given.max_drawdown))
    for one in found:
        print(f"fail: {one}", file=sys.stderr)
    print(f"{metrics['num_sessions']} sessions; wrote {given.out_json} and {given.out_html}")
    return ExitCode.NO if found else ExitCode.OK


if __name__ == "__main__":
    sys.exit(_main())
