"""The columnar rules say exactly what the scalar rules say."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds.files import stamps
from adapters.feeds.files.blocks import Block
from adapters.feeds.files.checks import possible
from adapters.feeds.files.foliod import recognise
from adapters.feeds.files.rows import parse
from adapters.feeds.files.spec import Tally
from state.bars import impossible

ODD = [0.0, -0.0, -1.0, 5e-324, 1.0, 1.05, math.inf, -math.inf, math.nan, 1.7976931348623157e308]
PRICE = st.one_of(st.sampled_from(ODD), st.floats(width=64), st.floats(0.9, 1.1))


@given(st.lists(st.tuples(PRICE, PRICE, PRICE, PRICE), min_size=1, max_size=50))
def test_mask_is_the_rule(rows: list[tuple[float, float, float, float]]) -> None:
    """A row passes the mask if and only if ``state.bars.impossible`` finds nothing (F5)."""
    columns = np.array(rows, np.float64).T.copy()
    mask = possible((columns[0], columns[1], columns[2], columns[3]))
    assert mask.tolist() == [impossible(*row) is None for row in rows]


@given(
    st.lists(
        st.tuples(
            st.integers(1600, 2300), *(st.integers(0, limit) for limit in (13, 32, 25, 61, 61))
        ),
        min_size=1,
        max_size=5,
    )
)
def test_template_column_is_the_scalar(rows: list[tuple[int, ...]]) -> None:
    """A column is read when every row is, and to the same instants; else not at all."""
    template = "YYYYMMDD hhmmss"
    texts = ["{:04d}{:02d}{:02d} {:02d}{:02d}{:02d}".format(*row) for row in rows]
    matrix = np.frombuffer("".join(texts).encode(), np.uint8).reshape(len(texts), len(template))
    column = stamps.template_column(matrix, template)
    scalars = [stamps.template_ns([text], [template]) for text in texts]
    if None in scalars:
        assert column is None
    else:
        assert column is not None
        assert column.tolist() == scalars


@given(
    st.datetimes(datetime(1680, 1, 1), datetime(2260, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_iso_with_an_offset_is_the_instant(wall: datetime, offset_m: int) -> None:
    """wall time minus offset, to the microsecond; and the offset is seen."""
    sign = "-" if offset_m < 0 else "+"
    text = f"{wall.isoformat()}{sign}{abs(offset_m) // 60:02d}:{abs(offset_m) % 60:02d}"
    since = (
        wall.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC) - timedelta(minutes=offset_m)
    )
    assert stamps.iso_ns(text) == (since // timedelta(microseconds=1) * 1000, True)


FIELD = st.sampled_from(
    ["1", "1.05", " 2 ", "+3", "1e5", "1e999", "nan", "inf", "-1", "", "x", "1_0", '"7"', "٣", ".5"]
)
STAMP = st.sampled_from(
    [
        "2021-03-10T00:00:00Z",
        "2021-03-10 00:00Z",
        "2021-03-10T00:00:00+01:00",
        "2021-03-10",
        "?",
        "",
    ]
)


@given(st.lists(st.tuples(STAMP, FIELD, FIELD, FIELD, FIELD, FIELD), min_size=1, max_size=4))
def test_fast_and_careful_reading_agree(rows: list[tuple[str, ...]]) -> None:
    """A block and its lines one by one give the same rows and the same refusals."""
    lines = [",".join(row) for row in rows]
    layout = recognise(["ts,open,high,low,close,volume", "2021-03-10T00:00:00Z,1,1,1,1,1"])
    assert layout is not None
    together, apart = Tally(), Tally()
    block = Block(1, "\n".join(lines).encode())
    whole = [r for raw in parse(block, layout, together) for r in _told(raw)]
    single: list[tuple[object, ...]] = []
    for number, line in enumerate(lines, 1):
        # A second, unreadable line sends this one down the careful path.
        body = f"{line}\n?".encode()
        spoiled = Tally()
        for raw in parse(Block(number, body), layout, spoiled):
            single += _told(raw)
        for item in spoiled.listed():
            if item.first.startswith(f"line {number}:"):
                apart.add(item.reason, item.first)
    assert whole == single
    counted = {(item.reason, item.first) for item in together.listed()}
    assert counted == {(item.reason, item.first) for item in apart.listed()}


def _told(raw: object) -> list[tuple[object, ...]]:
    from adapters.feeds.files.rows import RawRows

    assert isinstance(raw, RawRows)
    columns = [raw.lines, raw.stamps, *raw.first, raw.volume]
    return [tuple(repr(column[i].item()) for column in columns) for i in range(len(raw.lines))]
