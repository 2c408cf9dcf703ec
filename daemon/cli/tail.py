"""``foliod tail``: status and event lines of a run, decoded and in order, across rotation.

It follows by looking at the files a few times a second; it holds no lock and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from daemon.cli.options import Options, pass_options
from daemon.cli.runs import folder_of
from daemon.core.plain import plain
from daemon.runtime.events_file import STEM as EVENTS
from daemon.runtime.run_index import manifest_of
from daemon.runtime.status_file import STEM as STATUS
from daemon.runtime.status_lines import Follower, last_lines

_POLL_S: Final = 0.25

Line = dict[str, Any]


@click.command()
@click.argument("run", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends, or Ctrl-C.")
@click.option("-n", "count", type=click.IntRange(0), default=20, help="So many lines (20).")
@click.option("--json", "as_json", is_flag=True, help="Print the lines as they are: JSON.")
@pass_options
def tail(options: Options, /, run: str | None, follow: bool, count: int, as_json: bool) -> None:
    """Show the last status and event lines of a run, decoded.

    \b
    Example:
      foliod tail -f -n 50
    """
    folder = folder_of(options, run)
    logs, is_json = folder / "logs", as_json or options.json
    followers = [Follower(logs, stem) for stem in (STATUS, EVENTS)] if follow else []
    for raw in _sorted([*last_lines(logs, STATUS, count), *last_lines(logs, EVENTS, count)])[
        -count if count else 1 << 62 :
    ]:
        _print(raw, is_json)
    if not follow:
        return
    try:
        _follow(folder, followers, is_json)
    except KeyboardInterrupt:
        return


def _follow(folder: Path, followers: list[Follower], is_json: bool) -> None:
    """Print what comes, until the run has ended and nothing more comes."""
    while True:
        is_over = manifest_of(folder).state != "running"
        for raw in _sorted([line for one in followers for line in one.lines()]):
            _print(raw, is_json)
        if is_over:
            click.echo(f"the run is {manifest_of(folder).state}; no more will come", err=True)
            return
        time.sleep(_POLL_S)


def _sorted(raws: list[bytes]) -> list[bytes]:
    """Put lines in the order of their instants; an event stands before the status it made."""
    keyed = [(_key(raw), raw) for raw in raws]
    keyed.sort(key=lambda pair: pair[0])
    return [raw for _, raw in keyed]


class _Stamp(msgspec.Struct):
    """What both kinds of lines are sorted by."""

    seq: int = 0
    ts: str = ""
    now: str = ""


_STAMPS: Final = msgspec.json.Decoder(_Stamp)


def _key(raw: bytes) -> tuple[str, int, int]:
    try:
        stamp = _STAMPS.decode(raw)
    except msgspec.MsgspecError:
        return ("", 0, 0)
    moment = (stamp.ts or stamp.now).replace("T", " ")[:19]
    return (moment, stamp.seq, 0 if stamp.ts else 1)


def _print(raw: bytes, is_json: bool) -> None:
    if is_json:
        click.echo(raw.decode("utf-8", "replace"))
        return
    for line in decoded(raw):
        click.echo(line)


def decoded(raw: bytes) -> Iterator[str]:
    """Write one line for people; what is no JSON object is shown as such."""
    try:
        found = msgspec.json.decode(raw, type=Line)
    except msgspec.MsgspecError:
        yield f"? {plain(raw.decode('utf-8', 'replace'))[:200]}"
        return
    yield plain(_event(found) if "kind" in found else _status(found))


def _status(line: Line) -> str:
    today, equity = line.get("today") or {}, line.get("equity") or {}
    risk = line.get("risk") or {}
    mark = "ok" if line.get("ok") else "NOT OK"
    return (
        f"{str(line.get('now', ''))[:19]} status {line.get('state')} [{mark}] "
        f"equity {_number(equity.get('equity'))} {equity.get('currency', '')} "
        f"today {_number(today.get('r_total'))} R, {today.get('trades')} trades, "
        f"{risk.get('open_positions')} open: {line.get('reason')}"
    )


def _event(line: Line) -> str:
    moment = str(line.get("ts", "")).replace("T", " ")[:19]
    kind = str(line["kind"])
    return f"{moment} {kind} {_DETAILS.get(kind, _others)(line)}"


def _decision(line: Line) -> str:
    who = f"{line.get('symbol')}/{line.get('strategy')}"
    denied = [v for v in line.get("verdicts") or [] if isinstance(v, list) and v[1] is False]
    if not denied:
        return f"{who} {line.get('outcome')} {line.get('intent_id') or ''}".rstrip()
    gate, _, code, observed, limit = denied[0]
    more = f" (and {len(denied) - 1} more)" if len(denied) > 1 else ""
    return f"{who} DENIED by {gate}: {code} {observed} / {limit}{more}"


def _fill(line: Line) -> str:
    return (
        f"{line.get('symbol')}/{line.get('strategy')} {line.get('leg')} {line.get('side')} "
        f"{line.get('quantity')} at {line.get('fill')} pnl {line.get('pnl')} "
        f"{line.get('reason') or ''}"
    ).rstrip()


def _others(line: Line) -> str:
    left = {"ts", "seq", "kind", "portfolio_id", "run_id", "traceback"}
    return " ".join(
        f"{key}={value}"
        for key, value in line.items()
        if key not in left and value not in ("", None)
    )


_DETAILS: Final = {"Decided": _decision, "Filled": _fill}


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else "-"
