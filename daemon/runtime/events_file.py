"""The event lines of a run: one per decision, order, fill, halt ... in ``logs/events-*.jsonl``.

A readable copy of the journal's news, derived and never read back by the daemon. Prices and
quantities are decimal texts, instants ISO 8601 in UTC. A verdict is an array: gate, allowed, code,
observed, limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from daemon.runtime.dated_lines import DatedLines
from state.entries import (
    BarsRefused,
    CashMoved,
    CommandTaken,
    CooldownCleared,
    DayPosition,
    DayRolled,
    Decided,
    EngineQuarantined,
    Entry,
    Filled,
    FillSuspended,
    HaltCleared,
    HaltSet,
    HealthJudged,
    InstrumentSet,
    IntentRecorded,
    KillChanged,
    OrderChanged,
    PlanSet,
    RunEnded,
    RunStarted,
    WideningRefused,
)
from state.instruments import Instrument
from state.units import NEVER_NS, day_text, side_name, utc_text

STEM: Final = "events-"
_TRADES_KEPT: Final = 4096
_ENCODER: Final = msgspec.json.Encoder()
_iso = lru_cache(maxsize=1024)(utc_text)
_date = lru_cache(maxsize=16)(day_text)


class EventsFile:
    """Writes event lines, fed with every journal entry in order."""

    def __init__(self, folder: Path, portfolio_id: str, run_id: str, least_bytes: int = 0) -> None:
        """Write below ``folder`` (the run's ``logs``); ``least_bytes`` as in ``DatedLines``."""
        self._lines = DatedLines(folder, STEM, least_bytes)
        self._scope = {"portfolio_id": portfolio_id, "run_id": run_id}
        self._instruments: dict[str, Instrument] = {}
        self._symbols: dict[str, str] = {}
        self._floor_ns = 0
        self._makers: dict[type, Callable[[Any], dict[str, Any]]] = {
            Decided: _decided,
            IntentRecorded: self._intent,
            OrderChanged: self._order,
            Filled: self._filled,
            PlanSet: self._plan,
            RunStarted: self._run,
            HaltSet: _halt,
            WideningRefused: _dated,
            DayRolled: self._day,
            HealthJudged: _dated,
            **dict.fromkeys(_PLAIN, _plain),
        }

    @property
    def repaired(self) -> list[str]:
        """What was cut from torn files, one sentence each."""
        return self._lines.repaired

    def resume(self, symbols: Mapping[str, str], floor_ns: int) -> None:
        """Go on after lines written before, once ``take`` had every ``InstrumentSet`` again.

        ``symbols`` are those of trades by id; no line goes to a file older than ``floor_ns``.
        """
        self._symbols.update(symbols)
        self._floor_ns = floor_ns

    def take(self, seq: int, entry: Entry) -> None:
        """Write the line of entry number ``seq``, if its kind has one.

        Raises:
            OSError: the file cannot be written.
        """
        make = self._makers.get(type(entry))
        if make is None:
            if type(entry) is InstrumentSet:
                self._instruments[entry.instrument.symbol] = entry.instrument
            return
        line = {
            "ts": _iso(entry.at_ns),
            "seq": seq,
            "kind": type(entry).__name__,
            **make(entry),
            **self._scope,
        }
        self._lines.write(max(entry.at_ns, self._floor_ns), _ENCODER.encode(line))

    def flush(self) -> None:
        """Hand every line to the operating system. Raises OSError as ``DatedLines.flush``."""
        self._lines.flush()

    def close(self) -> None:
        """Flush and close."""
        self._lines.close()

    def drop(self) -> None:
        """Forget the lines that were not flushed, and close."""
        self._lines.drop()

    def _price(self, symbol: str, ticks: int | None) -> Decimal | None:
        instrument = self._instruments.get(symbol)
        return None if ticks is None or instrument is None else instrument.tick * ticks

    def _quantity(self, symbol: str, lots: int) -> Decimal | None:
        instrument = self._instruments.get(symbol)
        return None if instrument is None else instrument.lot * lots

    def _run(self, entry: RunStarted) -> dict[str, Any]:
        self._scope["run_id"] = entry.run_id
        return _plain(entry)

    def _intent(self, entry: IntentRecorded) -> dict[str, Any]:
        intent = entry.intent
        self._symbols[intent.trade_id] = intent.symbol
        if len(self._symbols) > _TRADES_KEPT:
            del self._symbols[next(iter(self._symbols))]
        return {
            "intent_id": intent.intent_id,
            "purpose": intent.purpose,
            "trade_id": intent.trade_id,
            "symbol": intent.symbol,
            "strategy": intent.strategy,
            "side": side_name(intent.side),
            "quantity": self._quantity(intent.symbol, intent.lots),
            "trigger": self._price(intent.symbol, intent.trigger_ticks),
            "stop": self._price(intent.symbol, intent.stop_ticks),
            "target": self._price(intent.symbol, intent.target_ticks),
            "reason": intent.reason,
        }

    def _order(self, entry: OrderChanged) -> dict[str, Any]:
        return {"intent_id": entry.intent_id, "event": entry.event, "code": entry.code}

    def _filled(self, entry: Filled) -> dict[str, Any]:
        return {
            "symbol": entry.symbol,
            "strategy": entry.strategy,
            "trade_id": entry.trade_id,
            "leg": entry.leg,
            "side": side_name(entry.side),
            "quantity": self._quantity(entry.symbol, entry.lots),
            "price": entry.price,
            "fill": self._price(entry.symbol, entry.fill_ticks),
            "filled_at": _iso(entry.filled_ns),
            "day": _date(entry.day),
            "fee": entry.fee,
            "pnl": entry.pnl,
            "reason": entry.reason,
            "execution_id": entry.execution_id,
        }

    def _plan(self, entry: PlanSet) -> dict[str, Any]:
        symbol = self._symbols.get(entry.trade_id, "")
        return {
            "trade_id": entry.trade_id,
            "symbol": symbol,
            "stop": self._price(symbol, entry.stop_ticks),
            "target": self._price(symbol, entry.target_ticks),
            "time_stop": _instant(entry.time_stop_ns),
            "risk": entry.initial_risk,
            "reason": entry.reason,
            "trail_distance": entry.trail_distance or None,
        }

    def _day(self, entry: DayRolled) -> dict[str, Any]:
        return {
            "day": _date(entry.day),
            "next_day": _date(entry.next_day),
            "start_equity": entry.start_equity,
            "end_equity": entry.end_equity,
            "gross": entry.gross,
            "fees": entry.fees,
            "trades": entry.trades,
            "drawdown": entry.drawdown,
            "open_positions": entry.open_positions,
            "positions": [self._position(one) for one in entry.positions],
        }

    def _position(self, one: DayPosition) -> dict[str, Any]:
        return {
            "symbol": one.symbol,
            "strategy": one.strategy,
            "trade_id": one.trade_id,
            "side": side_name(one.side),
            "quantity": self._quantity(one.symbol, one.lots),
            "entry": one.entry,
            "stop": self._price(one.symbol, one.stop_ticks),
            "target": self._price(one.symbol, one.target_ticks),
            "trail_distance": one.trail_distance,
            "time_stop": _instant(one.time_stop_ns),
            "open_pnl": one.open_pnl,
            "risk": one.initial_risk,
        }


_PLAIN: Final = (
    RunEnded,
    BarsRefused,
    FillSuspended,
    HaltCleared,
    KillChanged,
    CommandTaken,
    CooldownCleared,
    EngineQuarantined,
    CashMoved,
)


def _instant(at_ns: int) -> str | None:
    return None if at_ns >= NEVER_NS else _iso(at_ns)


def _plain(entry: msgspec.Struct) -> dict[str, Any]:
    """Take every field but the instant as it is."""
    return {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "at_ns"}


def _decided(entry: Decided) -> dict[str, Any]:
    return {
        "symbol": entry.symbol,
        "strategy": entry.strategy,
        "bar": _iso(entry.bar_open_ns),
        "outcome": entry.outcome,
        "intent_id": entry.intent_id,
        "action": entry.action,
        "verdicts": entry.verdicts,
    }


def _halt(entry: HaltSet) -> dict[str, Any]:
    return {
        "name": entry.name,
        "code": entry.code,
        "reason": entry.reason,
        "observed": entry.observed,
        "limit": entry.limit,
        "day": _date(entry.day) if entry.day else None,
        "until": _instant(entry.until_ns),
    }


def _dated(entry: WideningRefused | HealthJudged) -> dict[str, Any]:
    return {**_plain(entry), "day": _date(entry.day)}
