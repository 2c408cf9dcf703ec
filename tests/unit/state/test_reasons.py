"""The table of reason codes and its page."""

from __future__ import annotations

import re

from state.reasons import REASONS
from state.reasons_events import EVENTS
from state.reasons_feed import FEED
from state.reasons_gates import GATES
from state.reasons_page import SECTIONS, page
from tests.builders import ROOT


def test_page_in_the_docs_is_the_generated_one() -> None:
    """Docs against code: write it anew with ``python -m state.reasons_page``."""
    written = (ROOT / "docs" / "reference" / "reasons.md").read_text(encoding="utf-8")
    assert written == page()


def test_every_reason_is_whole() -> None:
    """R7: each code says what it means and what to do; a gate's also what it compares."""
    for code, reason in REASONS.items():
        assert code == reason.code
        assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code), code
        assert reason.kind in SECTIONS
        assert reason.meaning.endswith((".", ")")), code
        assert reason.remedy.endswith("."), code
        if reason.kind == "gate":
            assert reason.observed, code
            assert reason.limit, code


def test_no_code_is_defined_twice() -> None:
    """A second definition would silently replace the first."""
    assert page().count("\n### ") == len(REASONS)
    assert len(GATES) + len(EVENTS) + len(FEED) == len(REASONS)
