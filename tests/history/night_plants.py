"""Planted violations of the rules of nights (S5), for a run that holds a position over three."""

from __future__ import annotations

import copy

from tests.history.audit import Config
from tests.history.journal import Row
from tests.history.plants import CLEAR, HALT, KILL, RESET, Plant, place


def _plan(rows: list[Row], reason: str, skip: int = 1) -> int:
    return place(rows, "PlanSet", lambda row: bool(row["reason"] == reason), skip)


def _moved(reason: str, name: str, by: int | float) -> Plant:
    def plant(rows: list[Row], _: Config) -> None:
        rows[_plan(rows, reason)][name] += by

    return plant


def _amid(begins: list[Row], ends: list[Row]) -> Plant:
    """Make a plant that lets something forbid further risk while a plan is widened."""

    def plant(rows: list[Row], _: Config) -> None:
        at = _plan(rows, "WIDENED")
        rows[at + 1 : at + 1] = [one | {"at_ns": rows[at]["at_ns"]} for one in ends]
        rows[at:at] = [one | {"at_ns": rows[at]["at_ns"]} for one in begins]

    return plant


def _twice(rows: list[Row], _: Config) -> None:
    """Widen a second time on the same day, as far again."""
    at = _plan(rows, "WIDENED")
    before = rows[_plan(rows[:at], "TRAIL", 9)]
    again = copy.deepcopy(rows[at])
    for name in ("stop_ticks", "target_ticks"):
        again[name] += rows[at][name] - before[name]
    rows.insert(at + 1, again)


def _named(reason: str) -> Plant:
    def plant(rows: list[Row], _: Config) -> None:
        rows[_plan(rows, "TRAIL")]["reason"] = reason

    return plant


def _forgotten(rows: list[Row], _: Config) -> None:
    """Tell of a night without its position."""
    rows[place(rows, "DayRolled")]["positions"] = []


def _told(name: str, value: object) -> Plant:
    def plant(rows: list[Row], _: Config) -> None:
        rows[place(rows, "DayRolled")]["positions"][0][name] = value

    return plant


def _refused_twice(rows: list[Row], _: Config) -> None:
    at = place(rows, "WideningRefused", skip=0)
    rows.insert(at + 1, copy.deepcopy(rows[at]))


def _refused(name: str, value: object) -> Plant:
    def plant(rows: list[Row], _: Config) -> None:
        rows[place(rows, "WideningRefused", skip=0)][name] = value

    return plant


NIGHTS: dict[str, Plant] = {
    "a trail that goes back": _moved("TRAIL", "stop_ticks", -5_000),
    "a trail at another distance": _moved("TRAIL", "trail_distance", 0.01),
    "a trail that moves the target": _moved("TRAIL", "target_ticks", 10),
    "a trail that moves the time-stop": _moved("TRAIL", "time_stop_ns", -1),
    "a trail off its close": _moved("TRAIL", "stop_ticks", 1),
    "widened too far": _moved("WIDENED", "stop_ticks", -1),
    "a target widened too little": _moved("WIDENED", "target_ticks", -1),
    "widened for another day": _moved("WIDENED", "widened_day", 1),
    "widened twice a day": _twice,
    "widened while killed": _amid(KILL, RESET),
    "widened under a halt": _amid([HALT], [CLEAR]),
    "moved for no reason": _named("WHIM"),
    "moved as if held": _named("HELD"),
    "a night without its position": _forgotten,
    "a night with another stop": _told("stop_ticks", 100_000),
    "a night with another entry": _told("entry", "1.10014"),
    "a night with another trade": _told("trade_id", "f0"),
    "refused twice": _refused_twice,
    "refused for another day": _refused("day", 736_333),
    "refused by a halt that is not": _refused("code", "OVERNIGHT_HALTED"),
    "refused for no reason": _refused("code", "OVERNIGHT_WHIM"),
    "refused for another trade": _refused("trade_id", "f0"),
}
"""What is planted; each breaks S5."""

UNTOLD: Plant = _told("open_pnl", "1")
"""An open P&L that does not add up (CASH-1)."""
