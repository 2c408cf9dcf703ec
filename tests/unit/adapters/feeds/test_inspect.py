"""The report on a bar file: counts of what is there, and what must still be said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adapters.feeds.columns import Columns
from adapters.feeds.inspect import Report, Survey, inspect
from state.errors import FeedError
from state.units import MINUTE_NS

HEAD = "ts,open,high,low,close,volume\n"


def columns(minutes: list[int], price: float = 1.0, high: float = 1.5) -> Columns:
    """Make bars at these minutes, open = close = ``price``."""
    n = len(minutes)
    flat = np.full(n, price)
    at = np.array(minutes, np.int64) * MINUTE_NS
    return Columns(at, flat, np.full(n, high), flat, flat, np.full(n, 2.0))


def row(minute: int, prices: str = "1.05,1.07,1.04,1.06", volume: str = "10") -> str:
    """Write one row."""
    return f"2021-03-10T{minute // 60:02d}:{minute % 60:02d}:00Z,{prices},{volume}\n"


def test_gaps_are_counted_over_batches(tmp_path: Path) -> None:
    """Minutes 0,1,2,6,7 and 10: two gaps, 3 + 2 bars absent, wherever the batches end."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + "".join(row(i) for i in (0, 1, 2, 6, 7, 10)))
    report = inspect(path, price="mid")
    assert (report.rows, report.gaps, report.missing) == (6, 2, 5)
    assert [(g.until_ns - g.after_ns) // MINUTE_NS for g in report.largest_gaps] == [4, 3]


def test_survey_does_not_depend_on_batches() -> None:
    """The same bars in one batch or in many give the same counts: flat runs and chains included."""
    minutes = [0, 1, 2, 3, 9, 10, 11, *range(12, 40)]
    reports = []
    for size in (1, 3, 100):
        survey = Survey(MINUTE_NS)
        for start in range(0, len(minutes), size):
            survey.add(columns(minutes[start : start + size], high=1.0))
        report = inspect_of(survey)
        reports.append((report.gaps, report.flat_runs, report.flat_longest, report.chained))
    assert reports == [(1, 1, 35, 1.0)] * 3


def inspect_of(survey: Survey) -> Report:
    """Return the survey's counts in a report."""
    report = Report("", "", "", "", "UTC", False, "open", False, None, False, MINUTE_NS, False)
    survey.fill(report)
    return report


def test_bad_rows_make_a_bad_report(tmp_path: Path) -> None:
    """Refused rows are listed with line and reason, duplicates among them."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + row(0) + row(1) + row(1) + row(2, "1,1,2,1") + row(3, volume="0"))
    report = inspect(path, price="mid")
    assert report.is_bad
    assert [(r.reason, r.count) for r in report.refused] == [("LOW_TOO_HIGH", 1), ("DUPLICATE", 1)]
    assert (report.volume, report.zero_volume) == ("present", 1)


def test_file_that_goes_back_is_described_up_to_there(tmp_path: Path) -> None:
    """An unsorted file is reported as a fault, not thrown away."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + row(0) + row(1) + row(0))
    report = inspect(path, price="mid")
    assert report.fault is not None
    assert "line 4 goes back in time" in report.fault
    assert report.is_bad


def test_settings_left_out_are_assumed_and_named(tmp_path: Path) -> None:
    """Without zone, stamp and price the report is made under UTC and open, and says what to set."""
    path = tmp_path / "bars.csv"
    path.write_text(
        "datetime,open,high,low,close\n2021-03-10 00:00,1,1,1,1\n2021-03-10 00:01,1,1,1,1\n"
    )
    report = inspect(path)
    assert (report.zone, report.zone_assumed, report.stamp_assumed) == ("UTC", True, True)
    assert list(report.needed) == ["zone", "stamp", "price"]
    told = inspect(path, zone="Asia/Kolkata", stamp="open", price="mid")
    assert told.needed == {}
    # 00:00 in Kolkata is 18:30 UTC of the day before.
    assert report.first_ns is not None
    assert told.first_ns == report.first_ns - 330 * MINUTE_NS


def test_wrong_price_side_is_a_fault(tmp_path: Path) -> None:
    """bidask needs ask columns."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + row(0) + row(1))
    report = inspect(path, price="bidask")
    assert report.fault == "has no ask columns: set price to bid, ask or mid"


def test_no_bar_file_raises(tmp_path: Path) -> None:
    """What is no bar file at all is refused, and so is a zone that is none."""
    path = tmp_path / "x"
    path.write_text("nothing\n")
    with pytest.raises(FeedError, match="no dialect"):
        inspect(path)
    path.write_text(HEAD + row(0) + row(1))
    with pytest.raises(FeedError, match="not an IANA time zone"):
        inspect(path, zone="Mars")


def test_huge_prices_make_no_guess(tmp_path: Path) -> None:
    """Prices beyond what a float keeps exactly give no tick, and no warning."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + row(0, "1e300,1e300,1e300,1e300") + row(1, "1e300,1e300,1e300,1e300"))
    report = inspect(path, price="mid")
    assert (report.rows, report.tick, report.decimals) == (2, None, None)
