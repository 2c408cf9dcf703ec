"""The status line: what it says of a portfolio, and that what never changes is encoded once."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.market import Market, Series
from daemon.core.pace import Pace, PaceLimits
from daemon.core.status import Alert, StatusObject, instant_text, schema
from daemon.core.status_board import StatusBoard
from daemon.core.status_inputs import EngineFacts, RunFacts, StatusInputs
from state.entries import EngineQuarantined, Entry, HaltSet, KillChanged, OrderChanged
from state.instruments import Grid
from state.orders import Intent
from state.portfolio import Portfolio
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, NEVER_NS
from tests.builders import ROOT, eurusd
from tests.run_folders import T0, beginning, folded, opening, two_days

LONDON = Schedule([WindowSpec(7 * 3600, 10 * 3600, "UTC", frozenset(range(5)), None)])
FRIDAY = T0 + DAY_NS


def board(
    *, open_pnl: float = 0.0, schedule: Schedule = LONDON, stop: float | None = -5.0
) -> StatusBoard:
    """Make a board of one engine, orb on EURUSD."""
    facts = RunFacts(
        "replay",
        "files",
        "5m",
        T0,
        "max(1 pip, ATR/1000)",
        global_daily_stop_r=stop,
        drawdown_limit=0.05,
        entries_per_hour=5,
        max_positions=3,
    )
    market = Market("USD", [Series(Grid(eurusd()), 5 * MINUTE_NS)])
    engine = EngineFacts("EURUSD", "orb", "ORB", "5m", "london", {"retest": False}, schedule)
    return StatusBoard(
        facts, [engine], market, lambda position, now_ns: open_pnl, Pace(PaceLimits())
    )


def said(portfolio: Portfolio, now_ns: int, of: StatusBoard | None = None) -> StatusObject:
    """Build a line at ``now_ns`` and read it back with every type checked."""
    line = (of or board()).line(portfolio, StatusInputs(now_ns=now_ns))
    return msgspec.json.decode(line, type=StatusObject)


def test_a_quiet_portfolio_is_ok_and_idle() -> None:
    """U1: at 2017-01-05 06:00 no window is open, nothing happened, the next window is named."""
    found = said(folded(beginning()), T0 + 6 * HOUR_NS)
    assert (found.schema, found.ok, found.state, found.mode) == (1, True, "idle", "replay")
    assert (found.since, found.now) == ("2017-01-05 00:00:00+00:00", "2017-01-05 06:00:00+00:00")
    assert (found.portfolio_id, found.run_id, found.seq) == ("main", "rabc", 3)
    assert found.symbols == ["EURUSD"]
    assert found.window.next_open == "2017-01-05 07:00:00+00:00"
    assert found.engines[0].params == {"retest": False}
    assert found.engines[0].params_set == "london"
    assert found.engines[0].spread_pips == 0.6
    assert found.costs.spread_pips == {"EURUSD": 0.6}
    assert (found.equity.cash, found.equity.equity, found.equity.currency) == (100, 100, "USD")
    assert found.risk.max_positions == 3
    assert found.risk.max_order_value is None


def test_an_engine_is_active_from_the_start_of_its_window_to_before_its_end() -> None:
    """W1: start <= now < end, rebuilt at the edges only."""
    portfolio, of = folded(beginning()), board()
    seen = {}
    for minute in (6 * 60 + 59, 7 * 60, 9 * 60 + 59, 10 * 60):
        found = said(portfolio, T0 + minute * MINUTE_NS, of)
        seen[found.now[11:16]] = (found.engines[0].active, found.window.active, found.state)
    assert seen == {
        "06:59": (False, False, "idle"),
        "07:00": (True, True, "trading"),
        "09:59": (True, True, "trading"),
        "10:00": (False, False, "idle"),
    }
    assert of.edge_ns == FRIDAY + 7 * HOUR_NS


def test_a_clock_that_steps_back_is_believed() -> None:
    """Windows are looked at again when an earlier instant is asked."""
    portfolio, of = folded(beginning()), board()
    assert said(portfolio, T0 + 11 * HOUR_NS, of).engines[0].active is False
    assert said(portfolio, T0 + 8 * HOUR_NS, of).engines[0].active is True


def test_a_position_shows_its_levels_and_open_r() -> None:
    """U1: bought 1000 at 1.05200, stop 100 ticks below, initial risk 1.00; up 0.25: r = 0.25."""
    found = said(folded(two_days()), FRIDAY + 13 * HOUR_NS, board(open_pnl=0.25))
    (position,) = found.positions
    assert (position.symbol, position.strategy, position.side) == ("EURUSD", "orb", "long")
    assert (position.entry, position.sl, position.tp) == (1.052, 1.051, 1.053)
    assert (position.r, position.quantity, position.protected) == (0.25, 1000, True)
    assert position.time_stop == "2017-01-08 00:00:00+00:00"
    # Cash: 100 + (1.00 - 0.10) - (0.45 + 0.10) - 0.05 for the entry of t3.
    assert found.equity.cash == pytest.approx(100.30)
    assert found.equity.equity == pytest.approx(100.55)


def test_today_counts_the_trading_day_and_the_r_stop_adds_open_r() -> None:
    """R1: day two closed -0.55 R (lsg); with 0.25 R open the stop compares -0.30."""
    found = said(folded(two_days()), FRIDAY + 13 * HOUR_NS, board(open_pnl=0.25))
    today = found.today
    assert (today.date, today.trades) == ("2017-01-06", 1)
    assert (today.r_total, today.pnl_total, today.r_open) == (-0.55, -0.55, 0.25)
    assert [(one.name, one.r, one.trades) for one in today.by_strategy] == [("lsg", -0.55, 1)]
    assert found.risk.r_counted == pytest.approx(-0.30)
    assert found.risk.global_daily_stop_r == -5.0


def test_a_halt_of_the_portfolio_is_not_ok_and_says_its_numbers() -> None:
    """R7: state halted, with code, observed value and limit."""
    found = said(folded(two_days()), FRIDAY + 13 * HOUR_NS)
    assert (found.ok, found.state, found.risk.halted) == (False, "halted", True)
    (halt,) = found.risk.halts
    assert (halt.name, halt.code, halt.observed) == ("r_stop", "R_STOP_REACHED", "-0.550 R")
    assert halt.until is None
    assert "R_STOP_REACHED" in found.reason


def test_a_halt_of_one_strategy_halts_nobody_else() -> None:
    """R2: it is listed, but the portfolio is neither halted nor in trouble."""
    halt = HaltSet(T0, "strategy_r_stop/orb", "STRATEGY_R_STOP", "", "-2.1 R", "-2 R", day=1 << 20)
    found = said(folded([*beginning(), halt]), T0 + HOUR_NS)
    assert (found.ok, found.risk.halted, len(found.risk.halts)) == (True, False, 1)


def test_a_halt_that_ran_out_is_not_in_force() -> None:
    """A halt with an end denies until that instant, exclusive."""
    halt = HaltSet(T0, "drawdown", "DRAWDOWN_LOCK", "", "6 %", "5 %", until_ns=T0 + HOUR_NS)
    portfolio = folded([*beginning(), halt])
    before = said(portfolio, T0 + HOUR_NS - 1)
    assert (before.state, before.dd_lock.locked) == ("halted", True)
    assert before.dd_lock.until == "2017-01-05 01:00:00+00:00"
    after = said(portfolio, T0 + HOUR_NS)
    assert (after.state, after.dd_lock.locked, after.risk.halts) == ("idle", False, [])


def test_the_kill_switch_comes_before_a_halt() -> None:
    """R6: killed, with level and reason."""
    entries: list[Entry] = [
        *two_days(),
        KillChanged(FRIDAY + 14 * HOUR_NS, "flatten", "looks wrong"),
    ]
    found = said(folded(entries), FRIDAY + 14 * HOUR_NS)
    assert (found.state, found.reason, found.ok) == ("killed", "looks wrong", False)
    assert (found.kill.present, found.kill.level) == (True, "flatten")


def test_an_order_of_unknown_outcome_is_an_alert() -> None:
    """UX: UNKNOWN comes first; it counts as unknown, not as working."""
    intent = Intent("i1", "entry", "i1", "EURUSD", "orb", MINUTE_NS, 1, 10, T0, 1)
    portfolio = folded(beginning())
    entries = opening("i1", T0, "orb", 1, 105_000)[:3]
    portfolio = folded([*beginning(), *entries, OrderChanged(T0, intent.intent_id, "LOSE")])
    found = said(portfolio, T0 + 1)
    assert (found.broker.working, found.broker.unknown) == (0, 1)
    assert found.alerts == [Alert("UNKNOWN_ORDER", "EURUSD/orb i1")]
    assert found.ok is False


def test_a_position_without_a_stop_is_unprotected() -> None:
    """SLT-1: between the fill and its plan there is no stop, and the line says so."""
    entries = [*beginning(), *opening("t1", T0, "orb", 1, 105_000)[:-1]]
    found = said(folded(entries), T0 + 1)
    assert found.positions[0].protected is False
    assert found.positions[0].r is None
    assert found.alerts == [Alert("UNPROTECTED", "EURUSD/orb")]


def test_a_quarantined_engine_is_not_active() -> None:
    """E1: even inside its window, at once and not only at the next edge."""
    portfolio, of = folded(beginning()), board()
    assert said(portfolio, T0 + 8 * HOUR_NS, of).engines[0].active is True
    entry = EngineQuarantined(T0 + 8 * HOUR_NS, "EURUSD", "orb", "ZeroDivisionError", "...")
    portfolio = folded([*beginning(), entry])
    found = said(portfolio, T0 + 8 * HOUR_NS, of)
    assert (found.engines[0].active, found.engines[0].quarantined) == (False, True)
    assert found.alerts == [Alert("QUARANTINED", "EURUSD/orb: ZeroDivisionError")]


def test_cooldowns_and_counts_are_by_the_runs_clock() -> None:
    """P1: lsg lost by a stop at 09:00, so EURUSD cools down 120 minutes; one entry that hour."""
    found = said(folded(two_days()), FRIDAY + 9 * HOUR_NS + MINUTE_NS)
    assert [(one.name, one.kind, one.until) for one in found.pacing.cooldowns] == [
        ("EURUSD", "stop", "2017-01-06 11:00:00+00:00")
    ]
    assert found.pacing.hour.limit == 5
    assert found.pacing.day.limit is None


def test_an_engine_without_windows_is_always_active() -> None:
    """No window means open at every instant, without an edge."""
    of = board(schedule=Schedule.always())
    found = said(folded(beginning()), T0, of)
    assert found.engines[0].windows == ["always"]
    assert (found.engines[0].active, found.engines[0].next_close) == (True, None)
    assert of.edge_ns == NEVER_NS


def test_a_mean_entry_of_two_fills_is_a_price() -> None:
    """100000 x 1 and 100001 x 2 ticks of 0.00001: mean 1.0000066667."""
    portfolio = folded([*beginning(), *opening("t1", T0, "orb", 1, 100_000)])
    position = portfolio.positions["EURUSD/orb"]
    position.entry_lots, position.entry_cost_ticks = 3, 300_002
    position.initial_risk = Decimal(0)
    found = said(portfolio, T0)
    assert found.positions[0].entry == 1.0000066667
    assert found.positions[0].r is None


def test_hostile_names_stay_inside_their_strings() -> None:
    """A name may hold quotes, line ends and escapes; the line stays one line of JSON."""
    portfolio = folded(beginning('ma"in\n\x1b[31m'))
    line = board().line(portfolio, StatusInputs(now_ns=T0))
    assert b"\n" not in line
    assert b"\x1b" not in line
    assert msgspec.json.decode(line, type=StatusObject).portfolio_id == 'ma"in\n\x1b[31m'


def test_instants_are_cut_to_the_second() -> None:
    """UX: YYYY-MM-DD HH:MM:SS+00:00, also before 1970."""
    assert instant_text(T0 + 999_999_999) == "2017-01-05 00:00:00+00:00"
    assert instant_text(-1) == "1969-12-31 23:59:59+00:00"


def test_the_published_schema_is_that_of_the_code() -> None:
    """UX: the JSON Schema is published; write it anew when a field is added.

    ``status.schema.json`` is ``msgspec.json.format(msgspec.json.encode(schema()), indent=2)``. The
    order of required fields has no meaning.
    """
    path = ROOT / "docs" / "reference" / "status.schema.json"
    published, present = msgspec.json.decode(path.read_bytes()), schema()
    published["required"].sort()
    present["required"].sort()
    assert published == present


def test_the_operators_page_explains_every_field() -> None:
    """UX: every field is documented with its unit."""
    page = (ROOT / "docs" / "operating" / "status.md").read_text(encoding="utf-8")
    missing = [path for path in _paths(schema(), "") if f"`{path}`" not in page]
    assert missing == []


def _paths(part: dict[str, object], head: str, root: dict[str, object] | None = None) -> list[str]:
    """Return the dotted names of all leaves of a JSON Schema."""
    root = root or part
    reference = part.get("$ref")
    if isinstance(reference, str):
        parts = root["$defs"]
        assert isinstance(parts, dict)
        return _paths(parts[reference.rpartition("/")[2]], head, root)
    items, properties = part.get("items"), part.get("properties")
    if isinstance(items, dict) and items:
        return _paths(items, f"{head}[]", root)
    if isinstance(properties, dict):
        dot = f"{head}." if head else ""
        return [
            path for name, inner in properties.items() for path in _paths(inner, dot + name, root)
        ]
    return [head]


def test_the_page_names_no_field_that_is_not_there() -> None:
    """Docs against code, the other way round."""
    page = (ROOT / "docs" / "operating" / "status.md").read_text(encoding="utf-8")
    rows = [
        line.split("|")[1].strip().strip("`")
        for line in page.splitlines()
        if line.startswith("| `")
    ]
    assert sorted(rows) == sorted(_paths(schema(), ""))
