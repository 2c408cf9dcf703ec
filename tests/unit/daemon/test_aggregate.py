"""The aggregation of a folder: figures by hand, JSON without NaN, a page without a way in."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import foliod
from daemon.reports.aggregate import MultiSessionAggregator, run_aggregation
from daemon.reports.aggregate_gate import Thresholds, failures
from state.errors import FeedError
from tests.builders import ROOT

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\x1b[31m&'\""


class Clock:
    """A clock that stands still."""

    def now_ns(self) -> int:
        """Return 2024-02-01 00:00 UTC."""
        return 1_706_745_600_000_000_000


def write(
    folder: Path, name: str, values: list[float], *, minutes: int = 60, start: int = 0
) -> Path:
    """Write a session of one point each ``minutes``, the first ``start`` minutes after 2024."""
    lines = ["timestamp,equity"]
    for place, value in enumerate(values):
        at = BEGIN + timedelta(minutes=start + place * minutes)
        lines.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{value}")
    path = folder / f"equity_{name}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def loaded(folder: Path) -> MultiSessionAggregator:
    """Load a folder."""
    aggregator = MultiSessionAggregator(folder, clock=Clock())
    aggregator.load_sessions()
    return aggregator


def _strict(text: str) -> Any:  # noqa: ANN401  whatever the JSON holds
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


def test_three_sessions_with_different_clocks_by_hand(tmp_path: Path) -> None:
    """Hours from midnight; a: 100 at 0, 110 at 1, 99 at 2. b: 50 at 1:30, 40 at 2:00, 60 at 2:30.

    c: 10 at 3:00 and 8 at 4:00. On the common clock 0, 1, 1:30, 2, 2:30, 3, 4 there are
    160, 170, 170, 149, 169, 169, 167. The fall is 170 to 149; returns are not strung together.
    """
    write(tmp_path, "a", [100, 110, 99])
    write(tmp_path, "b", [50, 40, 60], minutes=30, start=90)
    write(tmp_path, "c", [10, 8], start=180)
    aggregator = loaded(tmp_path)
    found = aggregator.compute_metrics()

    assert aggregator.total().equity.tolist() == [160, 170, 170, 149, 169, 169, 167]
    assert (found["num_sessions"], found["session_names"]) == (3, ["a", "b", "c"])
    assert (found["total_pnl"], found["starting_balance"]) == (7.0, 160.0)
    assert found["aggregate_return_pct"] == pytest.approx(7 / 160 * 100)
    assert found["max_drawdown_pct"] == pytest.approx((1 - 149 / 170) * 100)
    assert found["max_drawdown"]["peak"] == "2024-01-01T01:30:00Z"
    assert found["max_drawdown"]["trough"] == "2024-01-01T02:00:00Z"
    assert found["max_drawdown"]["recovered"] is None
    assert (found["start"], found["end"]) == ("2024-01-01T00:00:00Z", "2024-01-01T04:00:00Z")
    assert (found["duration"], found["duration_s"]) == ("0d 04:00:00", 14_400.0)
    assert (found["returns_n"], found["combined_sharpe"], found["var_95"]) == (6, None, None)
    assert found["generated_at"] == "2024-02-01T00:00:00Z"
    assert found["per_session_stats"]["a"] == {
        "starting_balance": 100.0,
        "final_equity": 99.0,
        "pnl": -1.0,
        "return_pct": -1.0,
        "sharpe_ratio": None,
        "max_drawdown_pct": pytest.approx(10.0),
        "start": "2024-01-01T00:00:00Z",
        "end": "2024-01-01T02:00:00Z",
        "points": 3,
    }


def test_ratios_of_enough_returns_by_hand(tmp_path: Path) -> None:
    """Two sessions of 50 that rise by 2 % and fall by 1 % in turn, hourly, 40 returns.

    Mean 0.5 %, sample deviation 1.5 % x sqrt(40 / 39), 8766 hours a year. 5 % of the returns lie at
    place 1.95 of -1 % x 20: VaR and CVaR are -1 %.
    """
    values = [50.0]
    for place in range(40):
        values.append(values[-1] * (0.99 if place % 2 else 1.02))
    write(tmp_path, "a", values)
    write(tmp_path, "b", values)
    found = loaded(tmp_path).compute_metrics()

    sharpe = 0.005 / (0.015 * math.sqrt(40 / 39)) * math.sqrt(8766)
    assert found["combined_sharpe"] == pytest.approx(sharpe)
    assert found["per_session_stats"]["b"]["sharpe_ratio"] == pytest.approx(sharpe)
    assert found["max_drawdown_pct"] == pytest.approx(1.0)
    assert (found["var_95"], found["cvar_95"]) == pytest.approx((-0.01, -0.01))
    assert (found["period_s"], found["periods_per_year"]) == pytest.approx((3600.0, 8766.0))
    correlation = loaded(tmp_path).compute_correlation()
    assert correlation["sessions"] == ["a", "b"]
    assert correlation["matrix"][0] == pytest.approx([1.0, 1.0])
    assert correlation["overlap"] == [[41, 41], [41, 41]]


def test_sessions_one_after_another_are_not_strung_together(tmp_path: Path) -> None:
    """Each doubles 100: the portfolio went from 200 to 400 and not to four times itself."""
    write(tmp_path, "a", [100, 200])
    write(tmp_path, "b", [100, 200], start=600)
    found = loaded(tmp_path).compute_metrics()
    assert (found["total_pnl"], found["aggregate_return_pct"]) == (200.0, 100.0)


@pytest.mark.parametrize(
    ("sessions", "pnl", "fall"),
    [
        ([], 0.0, None),
        ([[100.0, 101.0, 100.0]], 0.0, 100 / 101),
        ([[100.0] * 30, [5.0] * 30], 0.0, 0.0),
        ([[100.0 * 0.9**place for place in range(30)]], 100 * 0.9**29 - 100, None),
        ([[100.0, 0.0, 0.0]], -100.0, 100.0),
        ([[100.0, -50.0, 10.0]], -90.0, 150.0),
        ([[0.0, 0.0, 0.0]], 0.0, 0.0),
        ([[-5.0, -6.0, -7.0]], -2.0, 0.0),
    ],
)
def test_the_corners_work(
    sessions: list[list[float]], pnl: float, fall: float | None, tmp_path: Path
) -> None:
    """A2: empty folder, one session, flat, losses only, ruin: figures or null, never NaN."""
    for place, values in enumerate(sessions):
        write(tmp_path, f"s{place}", values)
    aggregator = loaded(tmp_path)
    found = _strict(aggregator.export_json(tmp_path / "out.json").read_text(encoding="utf-8"))
    page = aggregator.generate_html_report(tmp_path / "out.html").read_text(encoding="utf-8")

    assert found["total_pnl"] == pytest.approx(pnl)
    if fall is not None:
        assert found["max_drawdown_pct"] == pytest.approx(fall)
    assert found["combined_sharpe"] is None or found["combined_sharpe"] < 0
    assert "nan" not in page.lower().replace("finance", "")


def test_the_folder_of_a_run_is_not_counted_twice(tmp_path: Path) -> None:
    """Its engines' curves add up to the portfolio's; an idle engine's one row is its money."""
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    write(tmp_path, "portfolio", [100, 103])
    write(tmp_path, "EURUSD_orb", [50, 53])
    write(tmp_path, "EURUSD_lsg", [50])
    aggregator = loaded(tmp_path)
    found = aggregator.compute_metrics()

    assert found["session_names"] == ["EURUSD_lsg", "EURUSD_orb"]
    assert (found["starting_balance"], found["total_pnl"]) == (100.0, 3.0)
    assert "equity_portfolio.csv is left out" in found["notes"][0]


def test_a_portfolio_curve_alone_is_taken(tmp_path: Path) -> None:
    """Without engines' curves beside it, or outside a run, it is a session like others."""
    write(tmp_path, "portfolio", [100, 103])
    assert loaded(tmp_path).compute_metrics()["total_pnl"] == 3.0
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    assert loaded(tmp_path).compute_metrics()["total_pnl"] == 3.0


def test_names_and_patterns(tmp_path: Path) -> None:
    """A pattern over folders keeps names apart; one that leads out is refused."""
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "a", [1, 2])
    aggregator = MultiSessionAggregator(tmp_path)
    assert aggregator.load_sessions("*/equity_*.csv") == 2
    assert [one.name for one in aggregator.sessions] == ["a", "y/equity_a.csv"]
    for pattern in ("../*", "/etc/*", ""):
        with pytest.raises(FeedError, match="must name files inside"):
            aggregator.load_sessions(pattern)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    """A folder that is not there is no empty one."""
    with pytest.raises(FeedError, match="there is no such folder"):
        loaded(tmp_path / "logs")
    with pytest.raises(FeedError, match="is not a folder"):
        loaded(write(tmp_path, "a", [1, 2]))


def test_run_aggregation_writes_both_reports(tmp_path: Path) -> None:
    """A1: the function returns the measures; the public module has both names."""
    write(tmp_path, "a", [100, 110, 99])
    found = run_aggregation(tmp_path, tmp_path / "o" / "a.json", tmp_path / "o" / "a.html")

    written = _strict((tmp_path / "o" / "a.json").read_text(encoding="utf-8"))
    assert written["total_pnl"] == found["total_pnl"] == -1.0
    assert written["per_session_stats"]["a"]["points"] == 3
    assert (tmp_path / "o" / "a.html").read_bytes().startswith(b"<!doctype html>")
    assert foliod.run_aggregation is run_aggregation
    assert foliod.MultiSessionAggregator is MultiSessionAggregator


def test_a_malicious_name_does_nothing(tmp_path: Path) -> None:
    """X2: the name of a session, of a skipped file and of the folder is text on the page."""
    folder = tmp_path / "<i>&"
    folder.mkdir()
    evil = EVIL.replace("/", "\u2215")
    for name in (evil, "b"):
        write(folder, name, [100.0 + place % 3 for place in range(30)])
    write(folder, "<img src=x onerror=alert(1)>\n", [1])
    (folder / "equity_\udcff.csv").write_text("timestamp,equity\n", encoding="utf-8")
    warnings: list[str] = []
    aggregator = MultiSessionAggregator(folder, warn=warnings.append)
    assert aggregator.load_sessions() == 2
    page = aggregator.generate_html_report(tmp_path / "o.html").read_text(encoding="utf-8")
    _strict(aggregator.export_json(tmp_path / "o.json").read_text(encoding="utf-8"))

    assert all(one.isprintable() for one in warnings)
    assert not re.search(r"<(script|img|i)\b", page)
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;img" in page


def test_the_page_is_one_file_with_a_strict_policy(tmp_path: Path) -> None:
    """A3: tables, two curves in UTC and a heat map; nothing is loaded, no script, no style hole."""
    for name, step in (("a", 3), ("b", 5)):
        write(tmp_path, name, [100.0 + place % step for place in range(40)])
    page = loaded(tmp_path).generate_html_report(tmp_path / "o.html").read_text(encoding="utf-8")

    assert "default-src 'none'" in page.replace("&#39;", "'")
    assert not re.search(r"<script|<link|<img|\bsrc=|\bhref=|\bstyle=|url\(|@import", page)
    assert page.count("<svg") == 3
    assert page.count("UTC") >= 5
    assert "Correlation of returns" in page
    assert 'name="viewport"' in page


def test_many_sessions_keep_the_page_small(tmp_path: Path) -> None:
    """120 sessions: the map is drawn without names and stays far below a megabyte."""
    for number in range(120):
        values = [100.0 + (place * number) % 7 for place in range(30)]
        write(tmp_path, f"s{number:03d}", values)
    page = loaded(tmp_path).generate_html_report(tmp_path / "o.html").read_bytes()
    assert len(page) < 400_000
    assert page.count(b"<svg") == 3


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (None, None, []),
        (1.0, 12.0, []),
        (1.5, 10.0, []),
        (1.6, None, ["Sharpe 1.5000 is below 1.6"]),
        (None, 9.9, ["drawdown 10.0000 % is above 9.9 %"]),
        (2.0, 0.0, ["Sharpe 1.5000 is below 2", "drawdown 10.0000 % is above 0 %"]),
    ],
)
def test_the_gate(least: float | None, most: float | None, expected: list[str]) -> None:
    """A4: equal passes, each threshold that is not kept is named with its value."""
    metrics = {"combined_sharpe": 1.5, "max_drawdown_pct": 10.0}
    assert failures(metrics, Thresholds(least, most)) == expected


def test_the_gate_fails_what_is_not_defined(tmp_path: Path) -> None:
    """A folder without sessions, few returns and flat equity are not good enough, and say why."""
    both = Thresholds(0.5, 10.0)
    nothing = failures(loaded(tmp_path).compute_metrics(), both)
    assert nothing == [
        "Sharpe is not defined: no session; the least is 0.5",
        "drawdown is not defined: no session; the most is 10 %",
    ]
    write(tmp_path, "a", [100, 101, 102])
    few = failures(loaded(tmp_path).compute_metrics(), both)
    assert few == ["Sharpe is not defined: 2 returns, it needs 20; the least is 0.5"]
    write(tmp_path, "a", [100] * 50)
    flat = failures(loaded(tmp_path).compute_metrics(), both)
    assert flat == [
        "Sharpe is not defined: equity never moved, or was not positive; the least is 0.5"
    ]


def test_the_module_runs(tmp_path: Path) -> None:
    """``python -m daemon.reports.aggregate`` writes both files and its status is the gate's."""
    write(tmp_path, "a", [100, 90])
    command = [sys.executable, "-P", "-m", "daemon.reports.aggregate", "."]
    done = [
        subprocess.run(
            [*command, *more],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        for more in ([], ["--max-drawdown", "5"])
    ]
    assert [one.returncode for one in done] == [0, 1]
    assert (tmp_path / "aggregation.json").is_file()
    assert (tmp_path / "aggregation_report.html").is_file()
    assert done[1].stderr == "fail: drawdown 10.0000 % is above 5 %\n"
