"""Reason codes: every code that a gate, an order, an exit or a feed may answer with, explained.

A code is stable: it stands in journals, so it is never renamed and never gets another meaning. The
reference page of the docs is written from this table by ``state.reasons_page``.
"""

from __future__ import annotations

from typing import Final

from state.reason import Reason
from state.reasons_events import EVENTS
from state.reasons_feed import FEED
from state.reasons_gates import GATES

__all__ = ["REASONS", "Reason"]

REASONS: Final[dict[str, Reason]] = {reason.code: reason for reason in (*GATES, *EVENTS, *FEED)}
"""Every reason code by its name, in the order of the reference page."""
