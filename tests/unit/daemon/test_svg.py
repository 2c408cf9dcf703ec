"""Pictures of reports: round ticks, UTC on every time axis, extremes kept, texts escaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from daemon.reports.svg import Mark, bars, curve, heat, thinned
from state.units import DAY_NS, EPOCH_ORDINAL, HOUR_NS, MINUTE_NS

T0 = 17_171 * DAY_NS  # 2017-01-05
EVIL = "<script>\x1b[2J\u202e\"'&"


def texts(picture: str) -> list[str]:
    """Return the texts of a picture, which must be well-formed XML."""
    root = ElementTree.fromstring(picture)
    return ["".join(one.itertext()) for one in root.iter("text")]


def test_a_curve_names_utc_and_round_values() -> None:
    """UX: axes are UTC and labelled so; ticks are round and enclose the curve."""
    found = texts(curve([(T0, 100.0), (T0 + HOUR_NS, 180.0)], title="Equity", unit="USD"))

    assert found[0] == "Equity USD"
    assert {"100", "120", "140", "160", "180"} <= set(found)
    assert found[-1] == "time of day, UTC, from 2017-01-05"
    assert EPOCH_ORDINAL + T0 // DAY_NS == 736_334


@pytest.mark.parametrize(
    ("days", "axis", "label"),
    [
        (1, "time of day, UTC, from 2017-01-05", "04:00"),
        (40, "month-day, UTC, 2017", "01-12"),
        (400, "month, UTC", "2017-04"),
        (4000, "year, UTC", "2020"),
    ],
)
def test_a_time_axis_fits_its_span(days: int, axis: str, label: str) -> None:
    """At most seven labels, at round instants, whatever the span."""
    points = [(T0 + n * HOUR_NS, float(n)) for n in range(0, days * 24 + 1, 4)]
    found = texts(curve(points, title="Equity", unit="USD"))

    assert found[-1] == axis
    assert label in found
    assert len([one for one in found if re.fullmatch(r"[\d:-]*[:-][\d:-]*", one)]) <= 8


def test_no_label_leaves_the_picture() -> None:
    """Nothing is clipped: labels that start or end at the edge are moved inside."""
    points = [(T0 + n * DAY_NS, 1e9 + n) for n in range(30)]
    root = ElementTree.fromstring(curve(points, title="Equity", unit="USD"))
    for one in root.iter("text"):
        x, length = float(one.get("x", "0")), 7 * len("".join(one.itertext()))
        kind = one.get("class", "")
        begin = x - length if "end" in kind else x - length / 2 if "mid" in kind else x
        assert begin >= -1
        assert begin + length <= 481


def test_thinning_keeps_every_extreme() -> None:
    """A curve of many points keeps its first, last, lowest and highest."""
    points = [(T0 + n * MINUTE_NS, float(n % 7)) for n in range(50_000)]
    points[31_234] = (points[31_234][0], -99.0)
    points[40_001] = (points[40_001][0], 99.0)
    kept = thinned(points)

    assert len(kept) <= 4 * 230
    assert {points[0], points[-1], points[31_234], points[40_001]} <= set(kept)
    assert kept == sorted(kept)


@pytest.mark.parametrize("values", [[], [5.0], [5.0, 5.0], [0.0, 0.0], [-1e-9, 1e-9], [1e12, 2e12]])
def test_any_curve_can_be_drawn(values: list[float]) -> None:
    """Empty, one point, flat, tiny and huge: a picture without NaN."""
    points = [(T0 + n * DAY_NS, value) for n, value in enumerate(values)]
    for filled in (False, True):
        picture = curve(points, title="x", unit="", percent=filled, filled=filled)
        assert "nan" not in picture and "inf" not in picture
        texts(picture)


def test_marks_and_bars_and_cells_are_well_formed() -> None:
    """Every picture is XML; a histogram colours losses and gains apart."""
    marked = curve(
        [(T0, 0.0), (T0 + DAY_NS, -0.1)],
        title="Underwater",
        unit="%",
        percent=True,
        filled=True,
        marks=[Mark("1", T0 + DAY_NS, -0.1)],
    )
    assert "1" in texts(marked)
    assert "-10.0 %" in texts(marked)
    histogram = bars([-1.0, 0.0, 1.0], [3, 5], title="R", unit="", axis="R")
    assert histogram.count('class="loss"') == histogram.count('class="gain"') == 1
    texts(bars([], [], title="R", unit="", axis="R"))
    texts(heat(["a", "b"], [[1.0, None], [None, 1.0]], title="Correlation"))
    texts(heat([], [], title="Correlation"))


def test_texts_from_outside_are_escaped() -> None:
    """X2: no markup, control or direction character comes out of a name."""
    for picture in (
        curve([(T0, 1.0)], title=EVIL, unit=EVIL, marks=[Mark(EVIL, T0, 1.0)]),
        bars([0.0, 1.0], [1], title=EVIL, unit=EVIL, axis=EVIL),
        heat([EVIL, EVIL], [[1.0, 0.5], [0.5, 1.0]], title=EVIL),
    ):
        assert "<script>" not in picture
        assert not set("\x1b\u202e") & set(picture)
        texts(picture)
