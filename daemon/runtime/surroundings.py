"""What a run needs of the world around it, checked: hours, secrets, broker, endpoints, database.

It asks, and changes nothing. A check never raises; it answers with a finding that holds no secret.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from adapters.ports import BrokerAccess
from adapters.reach import reach
from config.secrets import Secrets
from config.settings_operation import Check, Notify
from config.types import clock
from daemon.runtime.machine import MIB, Finding
from state.errors import JournalError
from state.journal import damage, is_begun, last_seq
from state.units import SECOND_NS

PATIENCE_S: Final = 5.0
"""How long an endpoint may take; they are asked one after the other."""
LOOKED_THROUGH_BYTES: Final = 256 * MIB
"""A larger database is opened and not looked through: a check answers at once."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Endpoint(NamedTuple):
    """Somewhere that must be reachable: ``what`` names it, ``url`` may be a secret."""

    what: str
    url: str


def hours(check: Check, now_ns: int) -> Finding:
    """Say whether it is the time of day in which the operator wants to start."""
    earliest, latest = check.earliest, check.latest
    if earliest is None or latest is None:
        return Finding("ok", "time of day", "any: no bounds are set in [check]")
    local = datetime.fromtimestamp(now_ns // SECOND_NS, ZoneInfo(check.zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    allowed = f"{clock(earliest)} to {clock(latest)} {check.zone}"
    found = f"{local:%H:%M:%S} {check.zone}, allowed: {allowed}"
    if earliest <= second < latest:
        return Finding("ok", "time of day", found)
    remedy = "start within these hours, or change check.earliest and check.latest"
    return Finding("fail", "time of day", found, remedy)


def secrets(found: Secrets, names: tuple[str, ...], folder: Path) -> Iterator[Finding]:
    """Say of every secret that is used whether it is there and private; then of stray files."""
    for name in names:
        fact = found.fact(name)
        what = f"secret {name}"
        if fact.problem:
            yield Finding("fail", what, fact.problem, fact.remedy)
        else:
            yield Finding("ok", what, f"there, in the {fact.source}")
    try:
        files = sorted(folder.iterdir()) if folder.exists() else []
        loose = [one for one in files if one.name not in names and _is_loose(one)]
        mode = stat.S_IMODE(folder.stat().st_mode) if folder.exists() else 0
    except OSError as problem:
        found_text = f"{folder} cannot be looked into: {problem.strerror}"
        yield Finding("warn", "secrets folder", found_text, f"ls -ld {folder}")
        return
    for one in loose:
        text = f"{one} can be used by others than its owner, and nothing uses it"
        yield Finding("warn", "secrets folder", text, f"chmod 600 {one}, or remove it")
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        text = f"others than its owner may write {folder} (mode {mode:03o})"
        yield Finding("warn", "secrets folder", text, f"chmod 700 {folder}")


def _is_loose(path: Path) -> bool:
    status = path.stat()
    return stat.S_ISREG(status.st_mode) and bool(stat.S_IMODE(status.st_mode) & _OTHERS)


def broker(access: BrokerAccess) -> Finding:
    """Say whether the broker takes our credentials: a refusal fails, a network failure warns."""
    answer = access.check()
    what = f"broker {access.name}"
    if answer.outcome == "ok":
        return Finding("ok", what, answer.text)
    if answer.outcome == "refused":
        remedy = "renew the broker's token and put it where the old one is"
        return Finding("fail", what, answer.text, remedy)
    remedy = "look at the network and the broker's status page; the token could not be tried"
    return Finding("warn", what, answer.text, remedy)


def notify_endpoints(found: Secrets, notify: Notify) -> list[Endpoint]:
    """Return the addresses of the notifications that can be tried; Apprise's own cannot."""
    made = []
    for kind, name in (("webhook", notify.webhook), ("dead man", notify.dead_man)):
        if name is not None and not found.fact(name).problem:
            made.append(Endpoint(f"{kind} {name}", found.get(name).reveal()))
    return made


def online(endpoints: list[Endpoint]) -> Iterator[Finding]:
    """Say of every endpoint whether its host can be reached now."""
    if not endpoints:
        yield Finding("ok", "online", "no feed and no notification has an address to be reached")
    for one in endpoints:
        problem = reach(one.url, PATIENCE_S)
        if problem:
            remedy = "look at the network, and at the address in the secret; a run may start"
            yield Finding("warn", f"reach {one.what}", problem, remedy)
        else:
            yield Finding("ok", f"reach {one.what}", "its host answers; nothing was sent")


def database(path: Path) -> Finding:
    """Say whether the portfolio's own database opens, is whole, and of a known version."""
    what = "database"
    if not path.exists():
        return Finding("ok", what, f"{path}: there is none yet; the first `foliod run` makes it")
    remedy = "`foliod verify` says what is left; restore the folder from a backup before a start"
    try:
        if not is_begun(path):
            return Finding("ok", what, f"{path}: nothing is in it yet; a start ended at once")
        entries = last_seq(path)
        if path.stat().st_size > LOOKED_THROUGH_BYTES:
            size = f"{path.stat().st_size // MIB:,} MiB"
            found = f"{path}: {entries} entries; {size}, so it was not looked through"
            return Finding("ok", what, found)
        wrong = damage(path)
    except (JournalError, OSError) as problem:
        return Finding("fail", what, str(problem), remedy)
    if wrong:
        return Finding("fail", what, f"{path} is damaged: {wrong}", remedy)
    return Finding("ok", what, f"{path}: {entries} entries, whole")


def kill_file(path: Path) -> Finding:
    """Say whether the kill switch is set: nothing would pass."""
    try:
        path.lstat()
    except FileNotFoundError:
        return Finding("ok", "kill switch", f"{path} is not there")
    except OSError as problem:
        found = f"{path} cannot be looked at, which counts as set: {problem.strerror}"
        return Finding(
            "fail", "kill switch", found, f"give yourself the right: ls -ld {path.parent}"
        )
    remedy = "find out who set it and why; remove it, then `foliod reset kill`"
    return Finding("warn", "kill switch", f"{path} is there: no entry would pass", remedy)
