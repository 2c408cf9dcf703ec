"""Two portfolios over real history: golden numbers, and an audit that shares no code (V1).

The configurations and the numbers are those of docs/examples, so that what is published is what
is tested. A change of the numbers is a change of what the program does: explain it, then publish.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable
from textwrap import fill

import pytest

from state.entries import Decided, HaltSet
from state.units import day_text, utc_text
from state.verify_fold import check
from tests.builders import ROOT, shared_data
from tests.history.checker import check_folder, check_rows
from tests.history.journal import numbered, rows_of
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
def test_a_checker_without_our_code_finds_nothing(ran: Callable[[str], Ran], name: str) -> None:
    """Fills, sizes, windows, limits, latches and cash are what bars and configuration make them."""
    report = check_folder(ran(name).folder, EXAMPLES / f"{name}.toml")

    assert report.found == []
    assert report.left_out == []
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


def test_the_checker_finds_a_missing_latch(ran: Callable[[str], Ran]) -> None:
    """A day that passed its R-stop without a latch is found when it rolls (RSK-2)."""
    rows = rows_of(ran("real-nse").folder / "foliod.db")
    kept = [row for row in rows if row["type"] != "HaltSet" or row["name"] != "r_stop"]
    config = tomllib.loads((EXAMPLES / "real-nse.toml").read_text())

    report = check_rows(numbered(kept), config)

    assert any("did not latch" in one.found for one in report.found)
    assert "RSK-2" in report.broken
