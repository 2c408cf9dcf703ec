"""Fuzzing of the wire codecs and histories: a frame is read, or refused with FrameError (F5).

Whatever is read keeps the invariants of ``targets.check``. The corpus is always run; so is a short
search from it. The long one feeds each target two hundred thousand damaged frames.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.feeds.frames import LONGEST_BODY, LONGEST_FRAME
from tests.fuzz.mutation import choosing, damaged, frames
from tests.fuzz.targets import CODECS, CORPUS, TARGETS, feed, seeds

LONG = 200_000


def _files() -> list[Path]:
    return sorted(path for target in TARGETS for path in (CORPUS / target).iterdir())


@pytest.mark.parametrize("path", _files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_corpus_is_read_or_refused_as_its_names_say(path: Path) -> None:
    """``ok-...`` is read and ``no-...`` is refused, as bytes and, where it is text, as text."""
    body = path.read_bytes()
    expected = path.name.startswith("ok-")
    forms: list[bytes | str] = [body]
    if path.parent.name in CODECS:
        try:
            forms.append(body.decode())
        except UnicodeDecodeError:
            assert not expected

    assert [feed(path.parent.name, form) for form in forms] == [expected] * len(forms)


def test_every_target_has_seeds_of_both_kinds() -> None:
    """A search that begins at nothing finds nothing."""
    for target in TARGETS:
        kinds = {path.name[:3] for path in (CORPUS / target).iterdir()}
        assert kinds == {"ok-", "no-"}, target


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_frames_are_read_or_refused(target: str) -> None:
    """A short search from the corpus, and any JSON, bytes and text."""

    @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(frames(seeds(target)))
    def search(frame: bytes | str) -> None:
        feed(target, frame)

    search()


@pytest.mark.parametrize("target", TARGETS)
def test_damage_leaves_some_frames_readable(target: str) -> None:
    """The search reaches what lies behind the parser: not every damaged frame is refused."""
    choose = choosing(np.random.default_rng(7))
    start = [seed for seed in seeds(target) if feed(target, seed)]
    read = [feed(target, damaged(start[choose(len(start))], choose)) for _ in range(300)]

    assert 0 < sum(read) < len(read)


@pytest.mark.parametrize("target", TARGETS)
@given(filler=st.sampled_from([b" ", b"[", b"{", b'"', b"9", b"\xff", b'{"a":', b"[1,"]))
@settings(max_examples=8, deadline=None)
def test_a_frame_of_a_megabyte_is_refused_at_once(target: str, filler: bytes) -> None:
    """By its length, before anything reads it; a history answer by its own, larger one."""
    longest = LONGEST_FRAME if target in CODECS else LONGEST_BODY
    frame = filler * (longest // len(filler) + 1)

    blank = target == "oanda" and filler == b" "  # a line of blanks, however long, says nothing
    assert feed(target, frame) is blank
    if target in CODECS:
        assert feed(target, (filler * 1_000_000)[:1_000_000]) is blank


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_many_damaged_frames_are_read_or_refused(target: str) -> None:
    """Two hundred thousand of them; a frame that fails is written into the message."""
    choose = choosing(np.random.default_rng(20_260_301))
    start = seeds(target)
    for _ in range(LONG):
        frame = damaged(start[choose(len(start))], choose)
        try:
            feed(target, frame)
        except Exception as error:
            raise AssertionError(f"{target}: {frame[:2000]!r}") from error
