"""How frames are damaged: bytes out of place, a strange value of JSON where a plain one was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

STRANGE: tuple[bytes, ...] = (
    b"null", b"true", b"false", b"0", b"-0", b"-1", b"1", b"1.5", b"1e999", b"-1e999", b"1e-999",
    b"NaN", b"Infinity", b"-Infinity", b"9" * 30, b"9" * 5000, b"0.1e400", b"[]", b"{}", b"[[]]",
    b'""', b'"0"', b'"-1"', b'"nan"', b'"inf"', b'"1e999"', b'"1_0"', b'" 1"', b'"\xff"',
    b'"\\ud800"', b'"\\u0000"', b'"' + b"x" * 300 + b'"', b"[" * 3000, b"1672515780",
    b"1672515780000", b"1672515780000000", b"2e0", b"1E15", b'"1"', b'"BTCUSDT"', b'"1m"',
    b'"2016-10-27T08:38:45Z"', b'"2016-02-30T08:38:45Z"', b'"\xd9\xa1"', b'"ok"', b'"error"',
)  # fmt: skip
"""JSON values, and some that are none, to stand where another one stood."""

PIECES: tuple[bytes, ...] = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\n",
    b"e9", b"-", b".", b"9999999999", b" ", b"\xc3", b"\xed\xa0\x80",
)  # fmt: skip

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)
)
ANY_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from("etpskoTxqhlcv") | st.text(max_size=8), inner, max_size=6),
    ),
    max_leaves=12,
)

Choose = Callable[[int], int]
"""Draws a whole number from 0 to below the argument."""


def frames(seeds: list[bytes]) -> st.SearchStrategy[bytes | str]:
    """Make frames: damaged seeds most of the time, else any JSON, bytes or text."""

    @st.composite
    def damaged_seed(draw: st.DrawFn) -> bytes:
        def choose(below: int) -> int:
            return draw(st.integers(0, below - 1))

        return damaged(draw(st.sampled_from(seeds)), choose)

    return st.one_of(
        damaged_seed(),
        damaged_seed(),
        damaged_seed().map(lambda frame: frame.decode("utf-8", "surrogateescape")),
        ANY_JSON.map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=200),
        st.text(max_size=200),
    )


def choosing(rng: np.random.Generator) -> Choose:
    """Draw from a seeded generator, a thousand numbers at a time."""
    drawn: Iterator[int] = iter(())

    def choose(below: int) -> int:
        nonlocal drawn
        number = next(drawn, None)
        if number is None:
            drawn = iter(rng.integers(0, 1 << 30, 1000).tolist())
            number = next(drawn)
        return number % below

    return choose


def damaged(frame: bytes, choose: Choose) -> bytes:
    """Damage a frame in one to three places."""
    for _ in range(1 + choose(3)):
        frame = (_replace_value, _replace_value, _splice, _cut, _flip, _repeat)[choose(6)](
            frame, choose
        )
    return frame


def _replace_value(frame: bytes, choose: Choose) -> bytes:
    try:
        whole = json.loads(frame)
    except (ValueError, RecursionError):
        return _splice(frame, choose)
    places: list[tuple[Any, Any]] = []
    _collect(whole, places)
    if not places:
        return STRANGE[choose(len(STRANGE))]
    parent, key = places[choose(len(places))]
    parent[key] = "@@"
    try:
        text = json.dumps(whole, separators=(",", ":")).encode()
    except ValueError:  # a whole number of more digits than Python writes
        return _cut(frame, choose)
    return text.replace(b'"@@"', STRANGE[choose(len(STRANGE))], 1)


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:  # noqa: ANN401  (any JSON)
    if isinstance(value, dict):
        for key, inner in value.items():
            places.append((value, key))
            _collect(inner, places)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            places.append((value, place))
            _collect(inner, places)


def _splice(frame: bytes, choose: Choose) -> bytes:
    at = choose(len(frame) + 1)
    return frame[:at] + PIECES[choose(len(PIECES))] + frame[at:]


def _cut(frame: bytes, choose: Choose) -> bytes:
    start = choose(len(frame) + 1)
    return frame[:start] + frame[start + choose(12) :]


def _flip(frame: bytes, choose: Choose) -> bytes:
    if not frame:
        return b"\x00"
    at = choose(len(frame))
    return frame[:at] + bytes([frame[at] ^ (1 << choose(8))]) + frame[at + 1 :]


def _repeat(frame: bytes, choose: Choose) -> bytes:
    start = choose(len(frame) + 1)
    part = frame[start : start + choose(40)]
    return frame[:start] + part + frame[start:]
