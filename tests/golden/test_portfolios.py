"""Two portfolios over real history: golden numbers, and an audit that shares no code (V1).

The configurations and the numbers are those of docs/examples, so that what is published is what
is tested. A change of the numbers is a change of what the program does: explain it, then publish.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from textwrap import fill
from typing import Any

import pytest

from state.entries import Decided, HaltSet
from state.units import day_text, utc_text
from state.verify_fold import check
from tests.builders import ROOT, shared_data
from tests.golden.journal_audit import Audit, Row, journal
from tests.replaying import Ran, replay_files

EXAMPLES = ROOT / "docs" / "examples"
PAGE = EXAMPLES / "real-portfolios.md"
NAMES = ("real-fx", "real-nse")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    """Return each run, made once."""
    shared_data()
    made: dict[str, Ran] = {}

    def make(name: str) -> Ran:
        if name not in made:
            over = tmp_path_factory.mktemp(name) / "over.toml"
            over.write_text(f'[portfolio]\ndata_dir = "{over.parent}"\n')
            made[name] = replay_files([EXAMPLES / f"{name}.toml", over])
        return made[name]

    return make


def _denials(run: Ran) -> Counter[tuple[str, str]]:
    """Count denials by the gate and code that bound."""
    found: Counter[tuple[str, str]] = Counter()
    for entry in run.entries:
        if isinstance(entry, Decided) and entry.outcome != "ACCEPTED":
            verdict = next(one for one in entry.verdicts if not one.allowed)
            found[verdict.gate, verdict.code] += 1
    return found


def _group(run: Ran, key: str) -> list[str]:
    names = sorted({row[key] for row in run.trades})
    lines = [f"| {key} | trades | won | net R | P&L |", "|---|---:|---:|---:|---:|"]
    for name in [*names, "all"]:
        rows = [row for row in run.trades if name in ("all", row[key])]
        won = sum(1 for row in rows if float(row["pnl"]) > 0)
        r = sum(float(row["r"]) for row in rows)
        pnl = sum(float(row["pnl"]) for row in rows)
        lines.append(f"| {name} | {len(rows)} | {won} | {r:.6f} | {pnl:.2f} |")
    return lines


def published(run: Ran) -> str:
    """Write a run's numbers as they are published."""
    halts = [entry for entry in run.entries if isinstance(entry, HaltSet)]
    stopped = [day_text(halt.day) for halt in halts if halt.name == "r_stop"]
    locks = [utc_text(halt.at_ns) for halt in halts if halt.name == "drawdown"]
    denials = sorted(_denials(run).items())
    lines = [
        *_group(run, "strategy"),
        "",
        *_group(run, "symbol"),
        "",
        "| gate | code | denials |",
        "|---|---|---:|",
        *[f"| {gate} | {code} | {count} |" for (gate, code), count in denials],
        "",
        fill(f"Days stopped by the R-stop: {', '.join(stopped) or 'none'}.", 100),
        "",
        fill(f"Drawdown locks: {', '.join(locks) or 'none'}.", 100),
    ]
    return "\n".join(lines)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_the_published_ones(ran: Callable[[str], Ran], name: str) -> None:
    """Trades, net R to 1e-6, and denials by gate are those of docs/examples."""
    assert published(ran(name)) in PAGE.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_an_auditor_without_our_code_finds_nothing(ran: Callable[[str], Ran], name: str) -> None:
    """Fills, sizes, windows, limits, latches and cash are what bars and configuration make them."""
    rows = journal(ran(name).folder / "foliod.db")

    assert Audit(EXAMPLES / f"{name}.toml", rows).check() == []
    assert check(ran(name).folder / "foliod.db") == []


def test_windows_follow_daylight_saving(ran: Callable[[str], Ran]) -> None:
    """The New York window moves on 2017-03-13, the London one on 2017-03-27, an hour earlier."""
    seen: dict[tuple[str, bool], list[str]] = {}
    for entry in ran("real-fx").entries:
        if isinstance(entry, Decided) and utc_text(entry.at_ns) > "2017":
            day, clock = utc_text(entry.at_ns).split("T")
            change = {"orb_ny": "2017-03-12", "lsg_loose": "2017-03-26"}.get(entry.strategy)
            if change is not None:
                seen.setdefault((entry.strategy, day > change), []).append(clock)

    # 08:30 in New York is 13:30 UTC in winter, 12:30 in summer; the first bar is the range.
    assert min(seen["orb_ny", False]) >= "13:40:00Z"
    assert "12:40:00Z" <= min(seen["orb_ny", True]) < "13:40:00Z"
    # 07:00 in London is 07:00 UTC in winter, 06:00 in summer, and 10:00 is 09:00.
    assert min(seen["lsg_loose", False]) >= "07:05:00Z"
    assert min(seen["lsg_loose", True]) >= "06:05:00Z"
    assert max(seen["lsg_loose", True]) <= "09:00:00Z"


Plant = Callable[[list[Row]], None]


def _change(kind: str, path: tuple[str, ...], value: Callable[[Any], Any], **where: str) -> Plant:
    """Make a plant: change one field of the tenth entry of a kind that has these values."""

    def plant(rows: list[Row]) -> None:
        fitting = [
            row
            for row in rows
            if row["type"] == kind and all(row[key] == want for key, want in where.items())
        ]
        row = fitting[9]
        for key in path[:-1]:
            row = row[key]
        row[path[-1]] = value(row[path[-1]])

    return plant


PLANTS: dict[str, Plant] = {
    "entry one tick better": _change("Filled", ("fill_ticks",), lambda v: v - 1, leg="entry"),
    "stop one tick better": _change("Filled", ("fill_ticks",), lambda v: v - 1, leg="stop"),
    "target a bar later": _change(
        "Filled", ("bar_open_ns",), lambda v: v + 300 * 10**9, leg="target"
    ),
    "P&L a cent higher": _change("Filled", ("pnl",), lambda v: v + "1", leg="stop"),
    "one lot more": _change("IntentRecorded", ("intent", "lots"), lambda v: v + 1),
    "cash": _change("EquityMarked", ("cash",), lambda v: v + "1"),
    "let in at night": _change(
        "Decided", ("at_ns",), lambda v: v - 5 * 3600 * 10**9, outcome="ACCEPTED"
    ),
    "stop moved": _change("PlanSet", ("stop_ticks",), lambda v: v + 3),
    "denied, yet let in": _change(
        "Decided", ("outcome",), lambda _: "ACCEPTED", outcome="SYMBOL_COOLDOWN"
    ),
}


@pytest.mark.parametrize("name", PLANTS)
def test_the_auditor_finds_what_is_planted(ran: Callable[[str], Ran], name: str) -> None:
    """One changed field of one entry is enough to be found (control of the audit)."""
    rows = json.loads(json.dumps(journal(ran("real-fx").folder / "foliod.db")))
    PLANTS[name](rows)

    assert Audit(EXAMPLES / "real-fx.toml", rows).check() != []


def test_the_auditor_finds_a_missing_latch(ran: Callable[[str], Ran]) -> None:
    """A day that passed its R-stop without a latch is found when it rolls (RSK-2)."""
    rows = journal(ran("real-nse").folder / "foliod.db")
    kept = [row for row in rows if row["type"] != "HaltSet" or row["name"] != "r_stop"]

    found = Audit(EXAMPLES / "real-nse.toml", kept).check()

    assert any("R-stop did not latch" in line for line in found)
