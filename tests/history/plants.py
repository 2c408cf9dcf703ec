"""Planted violations: each changes a journal so that exactly one invariant does not hold.

A plant is a function of rows (without numbers) that changes them in place, and says for itself
where. None of them uses code of the program.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Collection
from typing import Any

from tests.history.audit import Config
from tests.history.journal import Row
from tests.history.sessions import windows

Plant = Callable[[list[Row], Config], None]
Where = Callable[[Row], bool]
S = 1_000_000_000
NEVER = (1 << 63) - 1


def anywhere(_: Row) -> bool:
    """Fit every entry."""
    return True


def place(rows: list[Row], kind: str, where: Where = anywhere, skip: int = 9) -> int:
    """Return the place of an entry of a kind that fits, after so many others that fit too."""
    fitting = [i for i, row in enumerate(rows) if row["type"] == kind and where(row)]
    return fitting[min(skip, len(fitting) - 1)]


def change(
    kind: str, name: str, value: Callable[[Row], object], where: Where, skip: int = 9
) -> Plant:
    """Make a plant that sets one field of one entry."""

    def plant(rows: list[Row], _: Config) -> None:
        row = rows[place(rows, kind, where, skip)]
        row[name] = value(row)

    return plant


def again(kind: str, where: Where = anywhere, later: int = 1) -> Plant:
    """Make a plant that records one entry twice, the second time so many places later."""

    def plant(rows: list[Row], _: Config) -> None:
        at = place(rows, kind, where)
        rows.insert(at + later, copy.deepcopy(rows[at]))

    return plant


def named(portfolio: str, row: Row, purpose: str) -> str:
    """Return the id of an intent of this content."""
    key = f"{row['symbol']}/{row['strategy']}"
    content = f"{portfolio}\0{key}\0{purpose}\0{row['at_ns']}\0{0}".encode()
    return "f" + hashlib.blake2b(content, digest_size=9).hexdigest()


def let_in(rows: list[Row], config: Config, at: int, *, by: Row | None = None) -> None:
    """Let the denied entry at a place in: its intent, and a rejection that ends it at once."""
    row = rows[at]
    row["outcome"] = "ACCEPTED"
    row["intent_id"] = name = named(rows[0]["portfolio_id"], row, "entry")
    for verdict in row["verdicts"]:
        verdict[1] = True
    like = copy.deepcopy(by or rows[place(rows, "IntentRecorded", is_entry)])
    spec = next(one for one in config["strategies"] if one["name"] == row["strategy"])
    found = next(windows(spec, row["at_ns"]), None)
    like["at_ns"] = row["at_ns"]
    like["intent"] |= {
        "intent_id": name, "trade_id": name, "symbol": row["symbol"], "strategy": row["strategy"],
        "decided_ns": row["at_ns"], "day": row["day"], "side": row["action"]["side"],
    }  # fmt: skip
    if found is not None:
        like["intent"] |= {"until_ns": found.last * S, "time_stop_ns": found.stop * S}
    rows[at + 1 : at + 1] = [like, news(like, "REJECT", "PLANTED")]


def news(row: Row, event: str, code: str = "") -> Row:
    """Make news of the order of an intent."""
    name = row["intent"]["intent_id"]
    return {
        "type": "OrderChanged", "at_ns": row["at_ns"], "intent_id": name, "event": event,
        "code": code,
    }  # fmt: skip


def is_entry(row: Row) -> bool:
    """Whether an intent is one to enter."""
    return bool(row["intent"]["purpose"] == "entry")


def denied(row: Row) -> set[str]:
    """Return the codes that denied a wish."""
    return {verdict[2] for verdict in row["verdicts"] if not verdict[1]}


def gate_open(*codes: str, also: Collection[str] = ()) -> Plant:
    """Make a plant that lets an entry in that nothing but these codes (and others) denied."""

    def fits(row: Row) -> bool:
        found = denied(row)
        return row["outcome"] == codes[0] and found <= {*codes, *also}

    def plant(rows: list[Row], config: Config) -> None:
        let_in(rows, config, place(rows, "Decided", fits))

    return plant


NOT_LOOKED_AT = ("NEWS_GUARD", "STALE_RATE", "STOP_TOO_CLOSE", "MAX_ORDER_VALUE",
                 "MAX_GROSS_EXPOSURE")  # fmt: skip
"""Gates that no rule without bars repeats."""


def news_before_intent(rows: list[Row], _: Config) -> None:
    """Let an order be accepted before its intent is recorded."""
    at = place(rows, "IntentRecorded", is_entry)
    rows[at], rows[at + 1] = rows[at + 1], rows[at]


def fill_of_a_stranger(rows: list[Row], _: Config) -> None:
    """Fill an order that no intent made."""
    at = place(rows, "Filled", _leg("stop"))
    stranger = {"execution_id": "x1", "intent_id": "x1", "trade_id": "x1", "leg": "exit"}
    rows.insert(at + 1, copy.deepcopy(rows[at]) | stranger | {"pnl": "0"})


def lost_and_given_up(rows: list[Row], config: Config) -> None:
    """Take the silence of a venue for a refusal."""
    at = place(rows, "Decided", lambda row: denied(row) == {"NEWS_GUARD"})
    let_in(rows, config, at)
    rows[at + 2] |= {"event": "LOSE", "code": "TIMEOUT"}
    rows.insert(at + 3, rows[at + 2] | {"event": "REJECT", "code": ""})


def lost_and_sent_again(rows: list[Row], _: Config) -> None:
    """Send an exit of unknown outcome again under a new id."""
    at = place(rows, "IntentRecorded", lambda row: not is_entry(row))
    second = copy.deepcopy(rows[at])
    intent = second["intent"]
    intent["reason"] = "AGAIN"
    intent["intent_id"] = named(
        rows[0]["portfolio_id"], intent | {"at_ns": intent["decided_ns"]}, "AGAIN"
    )
    more = [news(rows[at], "LOSE", "TIMEOUT"), second, news(second, "CANCEL", "TRADE_CLOSED")]
    rows[at + 2 : at + 2] = more


def cancel_after_fill(rows: list[Row], _: Config) -> None:
    """Cancel an order that is filled."""
    at = place(rows, "Filled", _leg("target"))
    row = rows[at]
    end = {"type": "OrderChanged", "at_ns": row["at_ns"], "intent_id": row["intent_id"],
           "event": "CANCEL", "code": "HALT"}  # fmt: skip
    rows.insert(at + 1, end)


def exit_twice(rows: list[Row], _: Config) -> None:
    """Exit at the stop twice, the second time under a new execution id."""
    at = place(rows, "Filled", _leg("stop"))
    rows.insert(at + 1, copy.deepcopy(rows[at]) | {"execution_id": "again"})


def exit_of_a_closed_trade(rows: list[Row], _: Config) -> None:
    """Close at market what the stop has closed already."""
    at = place(rows, "Filled", _leg("stop"))
    row = rows[at]
    like = copy.deepcopy(rows[place(rows, "IntentRecorded", lambda one: not is_entry(one))])
    like["at_ns"] = row["at_ns"]
    name = named(rows[0]["portfolio_id"], row, "LATE")
    like["intent"] |= {
        "intent_id": name, "trade_id": row["trade_id"], "symbol": row["symbol"],
        "strategy": row["strategy"], "side": row["side"], "lots": row["lots"],
        "decided_ns": row["at_ns"], "reason": "LATE",
    }  # fmt: skip
    fill = copy.deepcopy(row) | {"execution_id": name, "intent_id": name, "leg": "exit"}
    rows[at + 1 : at + 1] = [like, fill]


def unprotected(rows: list[Row], _: Config) -> None:
    """Leave out the plan of a trade."""
    rows.pop(place(rows, "PlanSet"))


def wrong_side(rows: list[Row], _: Config) -> None:
    """Put the stop as far away on the side where it cannot protect."""
    at = place(rows, "PlanSet")
    fill = rows[at - 1]["fill_ticks"]
    rows[at]["stop_ticks"] = 2 * fill - rows[at]["stop_ticks"]


def reset_without_a_name(rows: list[Row], _: Config) -> None:
    """Let the kill switch clear itself."""
    at = place(rows, "KillChanged", lambda row: row["level"] == "none")
    rows.pop(at - 1)


def lowered(rows: list[Row], _: Config) -> None:
    """Lower the kill switch from flatten to halt by another word."""
    at = place(rows, "KillChanged", lambda row: row["level"] == "halt")
    rows[at - 1]["name"], rows[at]["level"] = "kill_flatten", "flatten"
    rows[at + 1 : at + 1] = [one | {"at_ns": rows[at]["at_ns"]} for one in KILL]


def forgotten_over_a_restart(rows: list[Row], config: Config) -> None:
    """Let an entry in that the kill switch forbids, after a restart."""
    at = place(rows, "Decided", lambda row: denied(row) == {"KILL_SWITCH"})
    let_in(rows, config, at)
    start = next(row for row in rows if row["type"] == "RunStarted")
    rows.insert(at, start | {"at_ns": rows[at]["at_ns"]})


def latched_day_entered(rows: list[Row], config: Config) -> None:
    """Clear the R-stop by hand and let an entry in on its day."""
    codes = {"R_STOP_REACHED", "STRATEGY_R_STOP", *NOT_LOOKED_AT}
    at = place(rows, "Decided", lambda row: "R_STOP_REACHED" in denied(row) <= codes)
    let_in(rows, config, at)
    clear = {"type": "HaltCleared", "at_ns": rows[at]["at_ns"], "name": "r_stop", "reason": "?"}
    rows.insert(at, clear)


def hole_in_days(rows: list[Row], _: Config) -> None:
    """Roll to the day before."""
    row = rows[place(rows, "DayRolled")]
    row["next_day"] = row["day"] - 1


def bar_decided_twice(rows: list[Row], _: Config) -> None:
    """Decide once more on a bar, by a wish that is denied."""
    at = place(rows, "Decided", lambda row: row["outcome"] == "SPACING")
    rows.insert(at + 1, copy.deepcopy(rows[at]))


def postponed(name: str) -> Plant:
    """Make a plant that moves an instant of an entry a second later."""

    def plant(rows: list[Row], _: Config) -> None:
        rows[place(rows, "IntentRecorded", is_entry)]["intent"][name] += S

    return plant


def larger(rows: list[Row], _: Config) -> None:
    """Order ten times the size that is filled."""
    rows[place(rows, "IntentRecorded", is_entry)]["intent"]["lots"] *= 10


def smaller(rows: list[Row], _: Config) -> None:
    """Order half of the size that is filled."""
    rows[place(rows, "IntentRecorded", is_entry)]["intent"]["lots"] //= 2


def against_a_gate(rows: list[Row], config: Config) -> None:
    """Let an entry in while a gate's answer says no."""
    at = place(rows, "Decided", lambda row: denied(row) == {"NEWS_GUARD"})
    verdicts = copy.deepcopy(rows[at]["verdicts"])
    let_in(rows, config, at)
    rows[at]["verdicts"] = verdicts


def another_session(rows: list[Row], config: Config) -> None:
    """Let an entry of a New York strategy in at London's time."""
    at = place(
        rows,
        "Decided",
        lambda row: (
            denied(row) == {"NEWS_GUARD"}
            and row["strategy"].endswith("_london")
            and any(verdict[3].startswith("0 trades") for verdict in row["verdicts"])
        ),
    )
    rows[at]["strategy"] = rows[at]["strategy"].replace("_london", "_new_york")
    let_in(rows, config, at)


def filled_after(begins: list[Row], ends: list[Row]) -> Plant:
    """Make a plant that fills a waiting stop-entry although something had begun before."""

    def plant(rows: list[Row], _: Config) -> None:
        waiting = {
            row["intent"]["intent_id"]: row["at_ns"] for row in rows
            if row["type"] == "IntentRecorded" and row["intent"]["trigger_ticks"] is not None
        }  # fmt: skip
        at = place(rows, "Filled", lambda row: _leg("entry")(row) and row["intent_id"] in waiting)
        decided_ns = waiting[rows[at]["intent_id"]]
        first = place(rows, "OrderChanged", lambda row: row["at_ns"] == decided_ns)
        rows[at + 2 : at + 2] = [one | {"at_ns": rows[at]["at_ns"]} for one in ends]
        rows[first + 1 : first + 1] = [one | {"at_ns": decided_ns} for one in begins]

    return plant


HALT: Row = {"type": "HaltSet", "name": "breaker", "code": "?", "reason": "?", "observed": "",
             "limit": "", "day": 0, "until_ns": NEVER}  # fmt: skip
CLEAR: Row = {"type": "HaltCleared", "name": "breaker", "reason": "?"}
KILL: list[Row] = [{"type": "CommandTaken", "name": "kill", "argument": "", "reason": ""},
                   {"type": "KillChanged", "level": "halt", "reason": ""}]  # fmt: skip
RESET: list[Row] = [{"type": "CommandTaken", "name": "reset_kill", "argument": "", "reason": ""},
                    {"type": "KillChanged", "level": "none", "reason": ""}]  # fmt: skip


def undecided(rows: list[Row], config: Config) -> None:
    """Record an entry that no gate was asked about."""
    at = place(rows, "Decided", lambda row: denied(row) == {"NEWS_GUARD"})
    let_in(rows, config, at)
    rows.pop(at)


def another_name(rows: list[Row], _: Config) -> None:
    """Call an intent by a name that its content does not give."""
    at = place(rows, "IntentRecorded", is_entry)
    old = rows[at]["intent"]["intent_id"]
    for row in [*rows, rows[at]["intent"]]:
        for name in ("intent_id", "trade_id"):
            if row.get(name) == old:
                row[name] = "f0123456789abcdef01"


def _leg(leg: str) -> Where:
    return lambda row: bool(row["leg"] == leg)


def _count(row: Row, gate: str) -> list[Any]:
    """Return a row's verdicts with one gate's count one lower, as if a restart refilled it."""
    found = copy.deepcopy(row["verdicts"])
    for verdict in found:
        if verdict[0] == gate:
            count, rest = verdict[3].split(" ", 1)
            verdict[3] = f"{int(count) - 1} {rest}"
    return list(found)


def _has_count(gate: str) -> Where:
    def fits(row: Row) -> bool:
        return any(one[0] == gate and one[3][:1] in "123456789" for one in row["verdicts"])

    return fits


def _longer(name: str) -> Callable[[Row], object]:
    return lambda row: str(row[name]) + ("1" if "." in str(row[name]) else ".1")


PLANTS: dict[str, tuple[str, Plant]] = {
    "an intent twice": ("ORD-1", again("IntentRecorded", is_entry)),
    "accepted twice": ("ORD-1", again("OrderChanged")),
    "news before the intent": ("ORD-2", news_before_intent),
    "a fill of a stranger": ("ORD-2", fill_of_a_stranger),
    "silence taken for a refusal": ("ORD-3", lost_and_given_up),
    "sent again under a new id": ("ORD-3", lost_and_sent_again),
    "cancelled after its fill": ("ORD-4", cancel_after_fill),
    "an execution twice": ("FIL-1", again("Filled", _leg("stop"))),
    "an entry's execution twice": ("FIL-1", again("Filled", _leg("entry"), 2)),
    "a position uncounted": (
        "FIL-1", change("DayRolled", "open_positions", lambda row: 7, anywhere),
    ),
    "profit a hair higher": ("CASH-1", change("Filled", "pnl", _longer("pnl"), _leg("stop"))),
    "a fee out of nowhere": ("CASH-1", change("Filled", "fee", lambda _: "0.5", _leg("target"))),
    "slippage left out": ("CASH-1", change("Filled", "slippage", lambda _: "0", _leg("stop"))),
    "cash a hair higher": (
        "CASH-1", change("EquityMarked", "cash", _longer("cash"), anywhere),
    ),
    "risk a hair higher": (
        "CASH-1", change("PlanSet", "initial_risk", _longer("initial_risk"), anywhere),
    ),
    "a day's trades": (
        "CASH-1", change("DayRolled", "trades", lambda row: row["trades"] + 1, anywhere),
    ),
    "a day's gross": (
        "CASH-1", change("DayRolled", "gross", _longer("gross"), lambda row: row["trades"] > 0),
    ),
    "a day's start": (
        "CASH-1", change("DayRolled", "start_equity", _longer("start_equity"), anywhere),
    ),
    "one position too many": ("RSK-1", gate_open("MAX_POSITIONS", also=NOT_LOOKED_AT)),
    "one too many in a symbol": ("RSK-1", gate_open("MAX_POSITIONS_SYMBOL", also=NOT_LOOKED_AT)),
    "entered on a stopped day": ("RSK-2", latched_day_entered),
    "a strategy's stopped day": ("RSK-2", gate_open("STRATEGY_R_STOP", also=NOT_LOOKED_AT)),
    "a day that goes back": ("RSK-2", hole_in_days),
    "another day than the clock's": (
        "RSK-2",
        change("Decided", "day", lambda row: row["day"] - 1, anywhere, 0),
    ),
    "too soon": ("RSK-3", gate_open("SPACING", also=NOT_LOOKED_AT)),
    "too soon in a symbol": ("RSK-3", gate_open("SYMBOL_SPACING", also=NOT_LOOKED_AT)),
    "too many in an hour": ("RSK-3", gate_open("HOURLY_CAP", also=NOT_LOOKED_AT)),
    "too many in a day": ("RSK-3", gate_open("DAILY_CAP", also=NOT_LOOKED_AT)),
    "in a cooldown": ("RSK-3", gate_open("SYMBOL_COOLDOWN", also=NOT_LOOKED_AT)),
    "after three losses": ("RSK-3", gate_open("LOSS_STREAK", also=NOT_LOOKED_AT)),
    "an hour refilled": (
        "RSK-3",
        change("Decided", "verdicts", lambda row: _count(row, "per_hour"), _has_count("per_hour")),
    ),
    "a day refilled": (
        "RSK-3",
        change("Decided", "verdicts", lambda row: _count(row, "per_day"), _has_count("per_day")),
    ),
    "entered while killed": ("KIL-1", gate_open("KILL_SWITCH", also=NOT_LOOKED_AT)),
    "forgotten over a restart": ("KIL-3", forgotten_over_a_restart),
    "lowered by a word": ("KIL-3", lowered),
    "reset by nobody": ("KIL-3", reset_without_a_name),
    "no stop": ("SLT-1", unprotected),
    "a stop that cannot protect": ("SLT-1", wrong_side),
    "closed twice": ("SLT-2", exit_of_a_closed_trade),
    "stopped twice": ("SLT-3", exit_twice),
    "let in outside the window": ("SES-1", another_session),
    "a last entry too late": ("SES-1", postponed("until_ns")),
    "a time-stop too late": ("SES-1", postponed("time_stop_ns")),
    "a bar twice": ("FEED-3", bar_decided_twice),
    "bars twice": ("FEED-3", again("BarsConsumed")),
    "an instant back": (
        "DET-1", change("AlarmRung", "at_ns", lambda row: row["at_ns"] - 10**15, anywhere),
    ),
    "an id of chance": ("DET-1", another_name),
    "let in against a gate": ("R7", against_a_gate),
    "let in under a halt": ("R7", gate_open("HALTED", also=NOT_LOOKED_AT)),
    "filled under a halt": ("R1", filled_after([HALT], [CLEAR])),
    "filled after the kill": ("KIL-1", filled_after(KILL, RESET)),
    "an entry undecided": ("R7", undecided),
}  # fmt: skip
"""What is planted, and the one invariant that it breaks."""

WITH_BARS: dict[str, tuple[set[str], Plant]] = {
    "other bars": ({"FEED-3"}, change("BarsConsumed", "digest", lambda _: "00" * 16, anywhere)),
    "a bar too many": (
        {"FEED-3"}, change("BarsConsumed", "count", lambda row: row["count"] + 1, anywhere),
    ),
    "worth too much": ({"RSK-1", "E6"}, larger),
    "an entry one tick better": (
        {"E5", "CASH-1"},
        change("Filled", "fill_ticks", lambda row: row["fill_ticks"] - 1, _leg("entry")),
    ),
    "an entry at another price": (
        {"E4", "E5", "CASH-1"},
        change("Filled", "price", lambda row: str(float(row["price"]) * 1.001), _leg("entry")),
    ),
    "a target a bar later": (
        {"E4"},
        change("Filled", "bar_open_ns", lambda row: row["bar_open_ns"] + 300 * S, _leg("target")),
    ),
    "a stop a bar later": (
        {"SLT-3"},
        change("Filled", "bar_open_ns", lambda row: row["bar_open_ns"] + 300 * S, _leg("stop")),
    ),
    "a stop's price": (
        {"SLT-3", "E5", "CASH-1"},
        change("Filled", "price", lambda row: str(float(row["price"]) * 1.001), _leg("stop")),
    ),
    "another rate": (
        {"I2", "CASH-1"},
        change("Filled", "rate", lambda row: str(float(row["rate"]) * 1.001), _leg("stop")),
    ),
    "half of the size": ({"E6", "FIL-2"}, smaller),
}  # fmt: skip
"""What only bars show, or what shows as more than one."""
