"""Run folders made by hand: two trading days of one portfolio, written by the real writer.

Day one (2017-01-05): a long of 1000 EURUSD by ``orb`` wins 0.90 after fees of 0.10, a second wish
is denied by the window gate. Day two: a short by ``lsg`` loses 0.55, then the R-stop halts. A long
by ``orb`` stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from state.entries import (
    BarsRefused,
    DayRolled,
    Decided,
    Entry,
    EquityMarked,
    Filled,
    HaltSet,
    InstrumentSet,
    IntentRecorded,
    OrderChanged,
    PlanSet,
    PortfolioOpened,
    RunEnded,
    RunStarted,
)
from state.ledger import apply
from state.orders import Intent
from state.portfolio import Portfolio
from state.signals import Signal
from state.units import DAY_NS, EPOCH_ORDINAL, HOUR_NS, MINUTE_NS
from state.verdicts import Verdict
from state.writer import Writer
from tests.builders import eurusd

DAY_ONE: Final = date(2017, 1, 5).toordinal()
DAY_TWO: Final = DAY_ONE + 1
T0: Final = (DAY_ONE - EPOCH_ORDINAL) * DAY_NS
"""2017-01-05 00:00 UTC."""


def verdicts(denied: str = "", code: str = "") -> tuple[Verdict, ...]:
    """Return the answers of three gates; ``denied`` names the one that says no."""
    return tuple(
        Verdict(gate, gate != denied, code if gate == denied else f"{gate.upper()}_OK", "1", "2")
        for gate in ("kill", "window", "spacing")
    )


def decided(
    at_ns: int,
    strategy: str,
    *,
    symbol: str = "EURUSD",
    gate: str = "",
    code: str = "",
    id_: str = "",
) -> Decided:
    """Make a decision; with ``gate`` it is denied by it with ``code``."""
    return Decided(
        at_ns=at_ns,
        symbol=symbol,
        strategy=strategy,
        bar_open_ns=at_ns - 5 * MINUTE_NS,
        day=at_ns // DAY_NS + EPOCH_ORDINAL,
        action=Signal(1, stop=1.04),
        verdicts=verdicts(gate, code),
        outcome=code or "ACCEPTED",
        intent_id=id_,
    )


def opening(id_: str, at_ns: int, strategy: str, side: int, ticks: int) -> list[Entry]:
    """Return the entries of a decision that opens a trade of 1000 at ``ticks`` (no costs)."""
    day = at_ns // DAY_NS + EPOCH_ORDINAL
    intent = Intent(
        intent_id=id_,
        purpose="entry",
        trade_id=id_,
        symbol="EURUSD",
        strategy=strategy,
        interval_ns=5 * MINUTE_NS,
        side=side,
        lots=1000,
        decided_ns=at_ns,
        day=day,
        reference=ticks / 100_000,
        stop_ticks=ticks - side * 100,
    )
    filled = _fill(f"{id_}-1", id_, at_ns, "entry", strategy, side, ticks, "0", "")
    stop = ticks - side * 100
    return [
        decided(at_ns, strategy, id_=id_),
        IntentRecorded(at_ns, intent),
        OrderChanged(at_ns, id_, "SUBMIT"),
        OrderChanged(at_ns, id_, "ACCEPT"),
        filled,
        PlanSet(at_ns, id_, stop, ticks + side * 100, T0 + 3 * DAY_NS, Decimal("1.00")),
    ]


def closing(
    id_: str, at_ns: int, strategy: str, side: int, ticks: int, pnl: str, leg: str
) -> list[Entry]:
    """Return the fill that closes the trade of ``side``."""
    reason = "TP" if leg == "target" else "SL"
    return [_fill(f"{id_}-2", id_, at_ns, leg, strategy, -side, ticks, pnl, reason)]


def _fill(
    execution: str,
    id_: str,
    at_ns: int,
    leg: str,
    strategy: str,
    side: int,
    ticks: int,
    pnl: str,
    reason: str,
) -> Filled:
    return Filled(
        at_ns=at_ns,
        execution_id=execution,
        intent_id=id_,
        trade_id=id_,
        leg=leg,
        symbol="EURUSD",
        strategy=strategy,
        side=side,
        lots=1000,
        price=Decimal(ticks) / 100_000,
        fill_ticks=ticks,
        filled_ns=at_ns,
        bar_open_ns=at_ns - 5 * MINUTE_NS,
        day=at_ns // DAY_NS + EPOCH_ORDINAL,
        spread=Decimal("0.03"),
        slippage=Decimal("0.02"),
        fee=Decimal("0.05"),
        pnl=Decimal(pnl),
        rate=Decimal(1),
        reason=reason,
    )


def beginning(portfolio_id: str = "main") -> list[Entry]:
    """Return the first entries of a run: 100 USD, EURUSD."""
    return [
        PortfolioOpened(T0, DAY_ONE, portfolio_id, "USD", "UTC", Decimal(100)),
        InstrumentSet(T0, eurusd()),
        RunStarted(T0, "rabc", "0.1.0", "replay", "cafe"),
    ]


def two_days() -> list[Entry]:
    """Return the journal that the module describes."""
    eight, next_eight = T0 + 8 * HOUR_NS, T0 + DAY_NS + 8 * HOUR_NS
    halt = HaltSet(
        next_eight + 2 * HOUR_NS,
        "r_stop",
        "R_STOP_REACHED",
        "daily R-stop",
        "-0.550 R",
        "-0.500 R",
        day=DAY_TWO,
    )
    return [
        *beginning(),
        *opening("t1", eight, "orb", 1, 105_000),
        *closing("t1", eight + HOUR_NS, "orb", 1, 105_100, "1.00", "target"),
        decided(eight + 2 * HOUR_NS, "orb", gate="window", code="OUTSIDE_WINDOW"),
        EquityMarked(eight + 3 * HOUR_NS, Decimal("100.90"), Decimal(0), Decimal("100.90")),
        DayRolled(
            T0 + DAY_NS,
            DAY_ONE,
            DAY_TWO,
            Decimal(100),
            Decimal("100.90"),
            Decimal("1.00"),
            Decimal("0.10"),
            1,
            0.0,
            0,
        ),
        *opening("t2", next_eight, "lsg", -1, 105_000),
        *closing("t2", next_eight + HOUR_NS, "lsg", -1, 105_045, "-0.45", "stop"),
        halt,
        decided(next_eight + 3 * HOUR_NS, "lsg", gate="spacing", code="SPACING"),
        *opening("t3", next_eight + 4 * HOUR_NS, "orb", 1, 105_200),
        EquityMarked(
            next_eight + 5 * HOUR_NS, Decimal("100.30"), Decimal("0.20"), Decimal("100.90")
        ),
        BarsRefused(
            next_eight + 5 * HOUR_NS, "EURUSD", "HIGH_TOO_LOW", 3, "line 12: high below close"
        ),
        RunEnded(next_eight + 5 * HOUR_NS, "rabc", "END_OF_HISTORY"),
    ]


def folded(entries: Sequence[Entry]) -> Portfolio:
    """Return the portfolio that the entries make."""
    portfolio = Portfolio()
    for seq, entry in enumerate(entries, start=1):
        apply(portfolio, seq, entry)
    return portfolio


def write_run(folder: Path, entries: Sequence[Entry], state: str = "complete") -> Path:
    """Write a run folder with this journal and manifest and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    with Writer(folder / "foliod.db", "NORMAL") as writer:
        writer.submit(list(entries)).result()
    manifest = {
        "run_id": "rabc",
        "portfolio_id": "main",
        "mode": "replay",
        "version": "0.1.0",
        "config_hash": "cafe",
        "state": state,
        "started": "2017-02-01T00:00:00Z",
        "bars": [],
    }
    (folder / "run.json").write_bytes(msgspec.json.encode(manifest))
    return folder
