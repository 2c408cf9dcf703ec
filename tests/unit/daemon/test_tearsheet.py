"""The tear sheet of a run, from the two days written by hand, and what only it measures."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from daemon.reports.comparison import read_baseline
from daemon.reports.daily import write_due
from daemon.reports.hindsight import Denied, Excursion, by_gate, excursions
from daemon.reports.periods import Kind, write_periods
from daemon.reports.tearsheet import decimals, write_tearsheet
from daemon.reports.tearsheet_measures import correlation, distribution
from state.entries import Entry
from state.units import DAY_NS, HOUR_NS
from tests.run_folders import T0, beginning, closing, decided, opening, two_days, write_run

NOW = T0 + 2 * DAY_NS
EVIL = "a\"b'<script>alert(1)</script>\x1b[2J\u202e\n{{7*7}}"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the run folder of the two days."""
    return write_run(tmp_path / "run", two_days())


async def test_a_tear_sheet_adds_up(run: Path) -> None:
    """UX: by hand: 0.90 - 0.55 = 0.35; spread 4 x 0.03, slippage 4 x 0.02, fees 4 x 0.05."""
    path, sheet = await write_tearsheet(run, NOW)

    assert path == run / "tearsheet.html"
    total = sheet.summary.trades
    assert (total.pnl, total.fees, total.spread, total.slippage) == (
        Decimal("0.35"), Decimal("0.20"), Decimal("0.12"), Decimal("0.08"),
    )  # fmt: skip
    assert total.edge == Decimal("0.75")
    assert total.edge - total.spread - total.slippage - total.fees == total.pnl
    assert [(one.name, one.pnl) for one in sheet.by_version] == [("0.1.0", Decimal("0.35"))]
    assert [one.pnl for one in sheet.best] == [Decimal("0.90")]
    assert [one.pnl for one in sheet.worst] == [Decimal("-0.55")]


async def test_prices_carry_the_instruments_decimals(run: Path) -> None:
    """UX: EURUSD has 5 decimals, also where they are zeros."""
    _, sheet = await write_tearsheet(run, NOW)

    assert (sheet.best[0].entry_fill, sheet.best[0].exit_fill) == ("1.05000", "1.05100")
    assert "1.05000" in (run / "tearsheet.html").read_text()
    assert [decimals(Decimal(one)) for one in ("0.00001", "0.05", "1", "10", "0.010")] == [
        5, 2, 0, 0, 2,
    ]  # fmt: skip


async def test_drawdowns_have_their_dates(run: Path) -> None:
    """UX: from 100.90 on day one to 100.50 on day two, not recovered: 0.40 / 100.90."""
    _, sheet = await write_tearsheet(run, NOW)
    (fall,) = sheet.drawdowns

    assert fall.depth == pytest.approx(0.40 / 100.90, abs=1e-8)
    assert (fall.peak_at, fall.trough_at, fall.recovered_at) == (
        "2017-01-05T11:00:00Z",
        "2017-01-06T13:00:00Z",
        None,
    )


async def test_months_are_the_product_of_days(run: Path) -> None:
    """UX: 100 to 100.90 to 100.50 in January: 0.5 %; two trades, 0.35 R."""
    _, sheet = await write_tearsheet(run, NOW)

    assert [(one.month, one.trades) for one in sheet.months] == [("2017-01", 2)]
    assert sheet.months[0].change == pytest.approx(0.005, abs=1e-6)
    assert sheet.months[0].r == pytest.approx(0.35)


async def test_ratios_of_few_days_are_empty_and_say_so(run: Path) -> None:
    """UX: Sharpe states its annualisation and is null below a minimum n; VaR states n."""
    _, sheet = await write_tearsheet(run, NOW)
    page = (run / "tearsheet.html").read_text()

    assert (sheet.summary.sharpe.value, sheet.tail.var, sheet.sortino) == (None, None, None)
    assert "empty below 20 days" in page
    assert "of 2 daily returns, empty below 20" in page
    assert json.loads((run / "tearsheet.json").read_text())["tail"]["cvar"] is None


async def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    """V1: page and twin are functions of the run and the instant."""
    found = []
    for name in ("one", "two"):
        run = write_run(tmp_path / name / "run", two_days())
        await write_tearsheet(run, NOW)
        found.append(((run / "tearsheet.html").read_bytes(), (run / "tearsheet.json").read_bytes()))
    assert found[0] == found[1]


async def test_the_data_hash_is_of_the_bar_files_digests(tmp_path: Path) -> None:
    """UX: one hash over symbol, interval and digest; a folder's name changes nothing."""
    hashes: list[str] = []
    for folder, digest in (("/a", "d1"), ("/b", "d1"), ("/a", "d2")):
        run = write_run(tmp_path / f"{len(hashes)}", two_days())
        manifest = msgspec.json.decode((run / "run.json").read_bytes())
        manifest["bars"] = [
            {"symbol": "EURUSD", "path": f"{folder}/x.csv", "interval": "1m", "digest": digest}
        ]
        (run / "run.json").write_bytes(msgspec.json.encode(manifest))
        _, sheet = await write_tearsheet(run, NOW)
        hashes.append(sheet.data_hash)
        assert [one.path for one in sheet.bars] == ["x.csv"]
    assert hashes[0] == hashes[1] != hashes[2]


async def test_a_baseline_stands_beside_the_run(tmp_path: Path, run: Path) -> None:
    """T2: a run against one without the second day's trade: 2 - 1 trades, 0.35 - 0.90 = -0.55."""
    other = write_run(tmp_path / "base", two_days()[:11])
    _, sheet = await write_tearsheet(run, NOW, baseline=await read_baseline(other))
    assert sheet.baseline is not None
    rows = {one.measure: one for one in sheet.baseline.rows}

    assert (sheet.baseline.run, rows["trades"].difference) == ("base", 1.0)
    assert rows["pnl"].difference == pytest.approx(-0.55)
    assert "Beside the baseline" in (run / "tearsheet.html").read_text()


async def test_an_empty_run_has_a_tear_sheet(tmp_path: Path) -> None:
    """A run without a bar: nothing divides by zero, nothing is drawn that is not there."""
    run = write_run(tmp_path / "run", beginning())
    path, sheet = await write_tearsheet(run, NOW)

    assert (sheet.drawdowns, sheet.best, sheet.r.n, sheet.correlation.engines) == ([], [], 0, [])
    assert "No closed trade." in path.read_text()


async def test_hostile_names_are_escaped_on_every_page(tmp_path: Path) -> None:
    """X2: no tag, no quote that ends an attribute, no template and no escape comes from a name."""
    entries: list[Entry] = [
        *beginning(EVIL),
        *opening("t1", T0, EVIL, 1, 105_000),
        *closing("t1", T0 + HOUR_NS, EVIL, 1, 105_100, "1.00", "target"),
        decided(T0 + 2 * HOUR_NS, EVIL, gate="window", code="<b>x</b>"),
    ]
    run = write_run(tmp_path / "run", entries)
    folder = run / "reports" / "daily"
    folder.mkdir(parents=True)
    (folder / "2017-01-05.notes.md").write_text(f"{EVIL}\n</div><img src=x onerror=y>")
    path, _ = await write_tearsheet(run, NOW, baseline=await read_baseline(run))
    pages = [path, *(await write_due(run, NOW))[2:], *await write_periods(run, Kind.INCEPTION, NOW)]

    assert [one.suffix for one in pages] == [".html"] * 3
    for page in pages:
        text = page.read_text()
        assert not re.search(r"<(script|b>x|img)|onerror=y>|[\x1b\u202e]", text), page
        assert "&lt;script&gt;" in text
        assert "{{7*7}}" in text
        assert "49" not in re.findall(r"\{\{.*?\}\}", text)


async def test_a_page_allows_nothing_from_outside(run: Path) -> None:
    """UX: one file, no script, a strict policy: the style by its hash and nothing else."""
    path, _ = await write_tearsheet(run, NOW)
    text = path.read_text()

    assert re.search(r"content=\"default-src &#39;none&#39;; style-src &#39;sha256-", text)
    assert "unsafe" not in text
    assert not re.search(r"<(script|link|iframe|object|img|form)\b", text)
    assert not re.search(r"(\bstyle|\bon\w+|\bsrc|\bhref)=", text)
    assert "://" not in text


def test_r_lies_in_round_bins_with_an_edge_at_zero() -> None:
    """UX: by hand: -1.1 and -1 and 0 and 0.95 and 2: every trade in exactly one bin."""
    found = distribution([-1.1, -1.0, 0.0, 0.95, 2.0])

    assert 0.0 in found.edges
    assert sum(found.counts) == found.n == 5
    assert found.counts[found.edges.index(0.0)] == 1
    assert (found.mean, found.median, found.sqn) == (0.17, 0.0, None)
    assert len(distribution([-1e9, 1e9]).counts) <= 41


def test_correlation_of_daily_results() -> None:
    """UX: one engine is the other's mirror: -1; a third with too few days: empty."""
    days = list(range(40))
    one = {day: float(day % 5) for day in days}
    found = correlation({"a": one, "b": {k: -v for k, v in one.items()}, "c": {3: 1.0}}, days)

    assert found.engines == ["a", "b", "c"]
    assert found.rows[0][1] == pytest.approx(-1.0)
    assert found.rows[2][2] is None
    assert (found.overlap[0][1], found.overlap[0][2]) == (40, 1)


def test_denied_entries_are_added_up_by_gate() -> None:
    """T2: those that never filled count as denied and have no R."""
    found = by_gate(
        [
            Denied(1, "window", "OUTSIDE_WINDOW", "TP", 1.0),
            Denied(1, "window", "OUTSIDE_WINDOW", "SL", -1.5),
            Denied(2, "window", "OUTSIDE_WINDOW", "LAST_ENTRY", None),
        ]
    )
    assert [(one.denied, one.closed, one.wins, one.r, one.mean_r) for one in found] == [
        (3, 2, 1, -0.5, -0.25)
    ]


def test_excursions_are_averaged_by_outcome() -> None:
    """T1: MAE of winners, MFE of losers."""
    found = excursions([(Excursion("a", -0.2, 1.0), True), (Excursion("b", -1.0, 0.4), False)])

    assert (found.n, found.mean_mae_r, found.mean_mfe_r) == (2, -0.6, 0.7)
    assert (found.winners_mae_r, found.losers_mfe_r) == (-0.2, 0.4)
