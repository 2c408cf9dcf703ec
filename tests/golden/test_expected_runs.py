"""The four expected runs through the real replay, trade by trade (E2, E4, E5, P1, R1, R2, V1).

The lists were made by an independent implementation of the same rules. Everything is real here:
the configuration, the Parquet files, the runner, the database; compared is what a trader reads
(trades.csv) and, for bars and denials, the journal.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from state.entries import Decided, Filled, IntentRecorded, OrderChanged, RunEnded
from state.signals import Signal
from state.units import utc_text
from state.verify_fold import check
from tests.builders import shared_data
from tests.replaying import Ran, replay

RUNS = ("eurusd_2017q1_london", "eurusd_2017q1_gates", "xauusd_2014-05_london", "nifty_5m")
COUNTS = {
    "eurusd_2017q1_london": (148, 10),
    "eurusd_2017q1_gates": (67, 137),
    "xauusd_2014-05_london": (27, 2),
    "nifty_5m": (5, 0),
}
"""Trades, and denied or cancelled signals, of each list."""

NAMES = {"OUTSIDE_WINDOW": "WINDOW"}
"""Our reason codes that the lists write differently."""

OFF = """
[risk]
daily_r_stop = false
open_r = false
[risk.strategy]
trades_per_day = false
r_stop = false
[risk.caps]
max_order_value = 1_000_000_000
max_gross_exposure = 1_000_000_000
max_positions = 10_000
max_positions_per_symbol = 10_000
[risk.drawdown]
lock_fraction = false
[pacing]
enabled = false
"""
"""No R, cap or pacing limit at all: ``"gates": "off"``."""


def _gates(gates: Any) -> str:  # noqa: ANN401 - either the word "off" or a table
    if gates == "off":
        return OFF
    pacing = "\n".join(f"{key} = {value}" for key, value in gates["pacing"].items())
    return f"""
[risk]
daily_r_stop = {gates["daily_r_stop"]}
open_r = {json.dumps(gates["open_r"])}
worst_case = {json.dumps(gates["worst_case"])}
[risk.strategy]
trades_per_day = {gates["strategy_trades_per_day"]}
r_stop = {gates["strategy_r_stop"]}
[risk.caps]
max_order_value = 1_000_000_000
max_gross_exposure = 1_000_000_000
max_positions = {gates["max_positions"]}
max_positions_per_symbol = {gates["max_positions_per_symbol"]}
[risk.drawdown]
lock_fraction = false
[pacing]
{pacing}
"""


def _strategy(row: dict[str, Any], symbols: list[str], interval_s: int) -> str:
    params = ", ".join(f"{key} = {json.dumps(value)}" for key, value in row["params"].items())
    lines = [
        "[[strategies]]",
        f'name = "{row["name"]}"',
        f'kind = "{row["kind"]}"',
        f"symbols = {json.dumps(symbols)}",
        f'interval = "{interval_s // 60}m"',
        f"params = {{ {params} }}",
    ]
    for window in row["windows"]:
        lines += ["[[strategies.windows]]", f"start = {window['start']}:00"]
        lines += [f"end = {window['end']}:00", f'zone = "{window["zone"]}"']
        lines.append(f"weekdays = {json.dumps(window['weekdays'])}")
    return "\n".join(lines) + "\n"


def configuration(run: dict[str, Any], bars: Path) -> str:
    """Write a run's description as this program's configuration."""
    currency = "INR" if "NIFTY50" in run["symbols"] else "USD"
    text = f"""
[portfolio]
id = "expected"
base_currency = "{currency}"
equity = {run["equity"]}
[sizing]
kind = "fixed"
quantity = {run["quantity"]["fixed"]}
[end_of_day]
reports = false
"""
    for symbol, facts in run["symbols"].items():
        text += f"""
[instruments.{symbol}]
pip = {facts["pip"]}
tick = {facts["tick"]:f}
spread_pips = {facts["spread_pips"]}
calendar = false
[[bars]]
symbol = "{symbol}"
path = "{bars / facts["file"]}"
price = "{"bidask" if facts.get("price") == "mid" else "mid"}"
zone = "UTC"
stamp = "open"
"""
    text += _gates(run["gates"])
    return text + "".join(
        _strategy(row, list(run["symbols"]), run["interval_s"]) for row in run["strategies"]
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    """Return each run, made once."""
    folder = shared_data()
    made: dict[str, Ran] = {}

    def make(name: str) -> Ran:
        if name not in made:
            run = json.loads((folder / "expected" / f"{name}.json").read_text())
            text = configuration(run, folder / "bars")
            made[name] = replay(text, tmp_path_factory.mktemp(name))
        return made[name]

    return make


def _expected(name: str, kind: str) -> list[dict[str, str]]:
    with (shared_data() / "expected" / f"{name}.{kind}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _entry_and_exit_bars(run: Ran) -> dict[str, tuple[str, str]]:
    fills = [one for one in run.entries if isinstance(one, Filled)]
    entered = {one.trade_id: one.bar_open_ns for one in fills if one.leg == "entry"}
    return {
        one.trade_id: (utc_text(entered[one.trade_id]), utc_text(one.bar_open_ns))
        for one in fills
        if one.leg != "entry"
    }


def _key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[:4]


@pytest.mark.parametrize("name", RUNS)
def test_trades_are_those_of_the_expected_run(ran: Callable[[str], Ran], name: str) -> None:
    """Same trades: instants, bars, prices on the tick, reasons; P&L and R to 1e-6."""
    run = ran(name)
    bars = _entry_and_exit_bars(run)
    ours: list[tuple[Any, ...]] = []
    for row in run.trades:
        prices = [row[key] for key in ("entry_price", "entry_fill", "stop", "target")]
        leave = [row[key] for key in ("exit_price", "exit_fill")]
        who = (row["symbol"], row["strategy"], row["side"], row["signal_at"])
        instants = (row["entry_at"], row["exit_at"], *bars[row["trade_id"]], row["exit_reason"])
        numbers = [float(one) for one in (*prices, *leave, row["quantity"], row["pnl"], row["r"])]
        ours.append((*who, instants, numbers))
    theirs: list[tuple[Any, ...]] = []
    for row in _expected(name, "trades"):
        names = ("entry_price", "entry_fill", "stop", "target", "exit_price", "exit_fill")
        who = (row["symbol"], row["strategy"], row["side"], row["signal_time"])
        stamps = ("entry_time", "exit_time", "entry_bar", "exit_bar", "reason")
        numbers = [float(row[key]) for key in (*names, "quantity", "pnl", "R")]
        theirs.append((*who, tuple(row[key] for key in stamps), numbers))

    assert len(theirs) == COUNTS[name][0]
    assert sorted(map(_key, ours)) == sorted(map(_key, theirs))
    for mine, other in zip(sorted(ours, key=_key), sorted(theirs, key=_key), strict=True):
        assert mine[4] == other[4], (mine, other)
        assert mine[5] == pytest.approx(other[5], rel=0, abs=1e-6), (mine, other)


@pytest.mark.parametrize("name", RUNS)
def test_denials_are_those_of_the_expected_run(ran: Callable[[str], Ran], name: str) -> None:
    """Same denied and cancelled signals: binding reason, and every gate that denied."""
    intents = {}
    ours = []
    for entry in ran(name).entries:
        if isinstance(entry, IntentRecorded):
            intents[entry.intent.intent_id] = entry.intent
        if isinstance(entry, Decided) and entry.outcome != "ACCEPTED":
            assert isinstance(entry.action, Signal)
            codes = [NAMES.get(one.code, one.code) for one in entry.verdicts if not one.allowed]
            side = "long" if entry.action.side > 0 else "short"
            who = (utc_text(entry.at_ns), entry.symbol, entry.strategy, side)
            ours.append((*who, "DENIED", NAMES.get(entry.outcome, entry.outcome), "+".join(codes)))
        if isinstance(entry, OrderChanged) and entry.event == "CANCEL":
            intent = intents[entry.intent_id]
            side = "long" if intent.side > 0 else "short"
            who = (utc_text(intent.decided_ns), intent.symbol, intent.strategy, side)
            ours.append((*who, "CANCELLED", entry.code, ""))
    theirs = [tuple(row.values()) for row in _expected(name, "denied")]

    assert len(theirs) == COUNTS[name][1]
    assert sorted(ours) == sorted(theirs)


@pytest.mark.parametrize("name", RUNS)
def test_the_run_ends_whole(ran: Callable[[str], Ran], name: str) -> None:
    """Every bar is consumed, the journal ends with the end of history, and the books balance."""
    run = ran(name)

    assert run.result.reason == "END_OF_HISTORY"
    assert isinstance(run.entries[-1], RunEnded)
    assert check(run.folder / "foliod.db") == []
