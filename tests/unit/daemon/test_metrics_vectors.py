"""Measures against published vectors: empyrical's own cases, and two tables of monthly returns.

The cases of measures that this project does not have are named in ``NOT_OURS``.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.reports import metrics_returns as measures
from tests.builders import shared_data

Floats = NDArray[np.float64]

PERIODS = {"daily": 252.0, "weekly": 52.0, "monthly": 12.0, "yearly": 1.0}
NOT_OURS = {
    *("test_aggregate_returns", "test_omega", "test_alpha_beta", "test_alpha", "test_beta"),
    *("test_stability_of_timeseries", "test_tail_ratio", "test_gpd_risk_estimates"),
    *("test_roll_max_drawdown", "test_capture_ratio", "test_down_capture", "test_up_capture"),
    *("test_roll_alpha_beta", "test_roll_up_down_capture", "test_roll_down_capture"),
    *("test_roll_up_capture", "test_down_alpha_beta", "test_up_alpha_beta"),
    "test_up_down_capture",
}
PRINTED = {"test_max_drawdown": 1e-9, "test_roll_sharpe_ratio": 1e-8}
PRINTED |= {"test_cum_returns": 1e-5, "test_cum_returns_final": 1e-5}
"""Cases whose expectation is printed with fewer digits than a float has."""

MONTHLY = {
    "managers/HAM1": (
        *(132, 1.503396375035911, 2.6498070397924876, 0.9061697171079514, 0.15177290548022862),
        *(0.13753201082367061, 0.08878079626175706, 0.050370734649108594),
        *(-0.02582, -0.051257142857142855, 3.1266714641119693),
    ),
    "managers/HAM2": (
        *(125, 1.3343822504059881, 4.2332098698427085, 0.7280939520047853, 0.23988239768372932),
        *(0.17465692294593005, 0.1271887421676681, 0.04009212990101673),
        *(-0.029359999999999997, -0.03307142857142857, 4.348598853708319),
    ),
    "managers/SP500 TR": (
        *(132, 0.6930996801155782, 1.0613317552136912, 0.21628729392150645, 0.4473001117193884),
        *(0.09674533073457403, 0.15002761347653623, 0.0979751057087277),
        *(-0.06691, -0.09332857142857143, 1.761618830532973),
    ),
    "edhec/Convertible Arbitrage": (
        *(152, 1.1073701074432516, 1.5097008045433051, 0.2631480186392662, 0.29268839452957496),
        *(0.07702037109916549, 0.06944618701736839, 0.0509389882733824),
        *(-0.01916, -0.048775, 1.5595854038540429),
    ),
    "edhec/Short Selling": (
        *(152, 0.2616149135235946, 0.4212419418988683, 0.0658857913185395, 0.49561959927447646),
        *(0.032654289491176325, 0.19086912842150458, 0.11854045278877762),
        *(-0.07848, -0.110575, 0.5023210162887555),
    ),
    "edhec/Funds of Funds": (
        *(152, 1.1257445107120867, 1.8829940875785367, 0.34611583682770564, 0.20591447069347002),
        *(0.07127025933900444, 0.0630880736754868, 0.03771708743010953),
        *(-0.021265, -0.0390375, 1.3917802580684242),
    ),
}
"""n, then Sharpe, Sortino, Calmar, drawdown, annual return, volatility, downside, VaR, CVaR and
total return of the monthly column, 12 periods a year, by empyrical-reloaded 0.7.1."""


def _cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (shared_data() / "vectors" / "empyrical_metrics.json").read_text(encoding="utf-8")
    )
    return found


def _pair(case: dict[str, Any], other: str) -> tuple[Floats, float | Floats]:
    """Return returns and the other series (or number), both without the rows that either lacks."""
    own = np.array(case["args"]["returns"]["values"], float)
    given = case["args"].get(other, 0.0)
    if not isinstance(given, dict):
        return own[~np.isnan(own)], float(given)
    against = np.array(given["values"], float)
    keep = ~np.isnan(own) & ~np.isnan(against)
    return own[keep], against[keep]


def _zeroed(case: dict[str, Any]) -> Floats:
    """Return the returns with 0 for a missing one: empyrical counts its period when annualising."""
    found: Floats = np.nan_to_num(np.array(case["args"]["returns"]["values"], float))
    return found


def _answer(case: dict[str, Any]) -> Any:  # noqa: ANN401, C901  one line a measure
    test, args = case["test"], case["args"]
    if test == "test_simple_returns":
        return measures.returns(np.array(args["prices"]["values"])).tolist()
    year = PERIODS[args.get("period", "daily")]
    match test:
        case "test_cum_returns":
            return (measures.growth(_zeroed(case)) * args["starting_value"]).tolist()
        case "test_cum_returns_final":
            return measures.total_return(_zeroed(case))
        case "test_max_drawdown":
            return -measures.largest_fall(_zeroed(case)) if len(_zeroed(case)) else None
        case "test_annual_ret" | "test_cagr":
            return measures.annual_return(_zeroed(case), year, min_n=1)
        case "test_annual_volatility":
            return measures.annual_volatility(_zeroed(case), year, min_n=2)
        case "test_calmar":
            return measures.calmar(_zeroed(case), year, min_n=2)
        case "test_sharpe_ratio":
            values, other = _pair(case, "risk_free")
            return measures.sharpe(values, 252.0, risk_free=other, min_n=2)
        case "test_excess_sharpe":
            values, other = _pair(case, "factor_returns")
            return measures.sharpe(values, 1.0, risk_free=other, min_n=2)
        case "test_downside_risk":
            values, other = _pair(case, "required_return")
            return measures.downside_deviation(values, year, required=other, min_n=1)
        case "test_sortino":
            values, other = _pair(case, "required_return")
            return measures.sortino(values, year, required=other, min_n=1)
        case "test_roll_sharpe_ratio":
            values, size = np.array(args["returns"]["values"], float), args["window"]
            parts = [values[end - size : end] for end in range(size, len(values) + 1)]
            return [measures.sharpe(one[~np.isnan(one)], 252.0, min_n=2) for one in parts]
    raise AssertionError(f"no measure for {test}")


def _columns(case: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield a case of several columns as one case for each."""
    series, expected = case["args"].get("returns", {}), case["args"]["expected"]
    if "columns" not in series:
        yield case, expected
        return
    for place, _ in enumerate(series["columns"]):
        own = {"values": [row[place] for row in series["values"]]}
        yield {**case, "args": {**case["args"], "returns": own}}, expected["values"][place]


def test_the_cases_of_empyrical() -> None:
    """Every case of a measure that is here comes out to 1e-12, or to the digits printed."""
    counted = 0
    for whole in _cases():
        if whole["test"] in NOT_OURS:
            continue
        for case, expected in _columns(whole):
            if whole["test"] == "test_downside_risk" and not case["args"]["returns"]["values"]:
                continue
            within = PRINTED.get(case["test"], 1e-12)
            found = _answer(case)
            if expected is None:
                assert found is None, case["case"]
            else:
                assert found == pytest.approx(expected, abs=within, rel=within), case["case"]
            counted += 1

    assert counted == 44


def test_the_measures_that_are_not_ours_are_named() -> None:
    """A case that is left out is left out on purpose."""
    assert {case["test"] for case in _cases()} >= NOT_OURS


def _monthly(name: str) -> Floats:
    table, column = name.split("/", 1)
    with (shared_data() / "vectors" / f"{table}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return np.array([float(row[column]) for row in rows if row[column] not in ("", "NA")])


@pytest.mark.parametrize("name", MONTHLY)
def test_monthly_returns_of_managers_and_indices(name: str) -> None:
    """Ten measures of a real column, to 1e-12."""
    values = _monthly(name)
    tail = measures.tail(values)
    found = (
        len(values),
        measures.sharpe(values, 12.0),
        measures.sortino(values, 12.0),
        measures.calmar(values, 12.0),
        measures.largest_fall(values),
        measures.annual_return(values, 12.0),
        measures.annual_volatility(values, 12.0),
        measures.downside_deviation(values, 12.0),
        tail.var,
        tail.cvar,
        measures.total_return(values),
    )

    assert found == pytest.approx(MONTHLY[name], rel=1e-12, abs=1e-12)


def test_a_manager_by_plain_sums() -> None:
    """The same column by sums over a list, which share no line with the measures."""
    values = _monthly("managers/HAM1").tolist()
    mean = math.fsum(values) / len(values)
    variance = math.fsum((one - mean) ** 2 for one in values) / (len(values) - 1)
    worth = [1.0]
    for one in values:
        worth.append(worth[-1] * (1 + one))
    fall = max(1 - after / max(worth[: place + 1]) for place, after in enumerate(worth))

    assert all(before > 0 for before, _ in pairwise(worth))
    found = measures.sharpe(np.array(values), 12.0)
    assert found == pytest.approx(mean / math.sqrt(variance) * math.sqrt(12), rel=1e-12)
    assert measures.largest_fall(np.array(values)) == pytest.approx(fall, rel=1e-12)
