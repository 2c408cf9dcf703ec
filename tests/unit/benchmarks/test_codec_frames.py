"""The benchmark of codecs measures reading, not refusing."""

from __future__ import annotations

import pytest

from benchmarks.codecs import frames

FRAMES = frames()


@pytest.mark.parametrize("name", FRAMES)
def test_a_measured_frame_is_read(name: str) -> None:
    """Every row of the table decodes to as many events or bars as its name says."""
    decode, frame, _ = FRAMES[name]
    last = name.split()[1] if name.startswith("finnhub") else name.rpartition(" ")[2]
    found = decode(frame)

    assert isinstance(found, list | tuple)
    assert len(found) == (int(last) if last.isdecimal() else 1)
