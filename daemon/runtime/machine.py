"""What a run needs of the machine, checked: clock, disk, folders, libraries, ownership.

Nothing here knows the configuration. A check never raises; it answers with a finding.
"""

from __future__ import annotations

import os
import stat
import tempfile
import zoneinfo
from collections.abc import Callable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import msgspec

from adapters.clock import Sync, sync
from adapters.ports import Clock
from daemon.runtime.ownership import check_ownership
from state.errors import ConfigError
from state.migrate import sqlite_version
from state.units import EPOCH_ORDINAL, SECOND_NS, day_text, utc_text

DAY_S: Final = 86_400
MIB: Final = 1 << 20
DISK_WARN_BYTES: Final = 1024 * MIB
DISK_FAIL_BYTES: Final = 100 * MIB
SKEW_WARN_S: Final = 1.0
"""A clock that may be further off, or a disk whose clock is, is warned of."""
SOUND_SQLITE: Final = (3, 51, 3)
"""From this version on two writing connections are safe too."""
_FIRST_YEAR, _LAST_YEAR = 2024, 2100
_ZONES_OLD_YEARS: Final = 2

Level = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """What one check found. ``remedy`` says what to do; empty when nothing is to be done.

    ``fail``: a run cannot, or must not, be started; ``warn``: it can, and somebody should know.
    """

    level: Level
    what: str
    found: str
    remedy: str = ""


def machine(clock: Clock) -> Iterator[Finding]:
    """Yield what is found of everything that depends on no configuration."""
    yield ownership(check_ownership)
    yield clock_runs(clock)
    yield clock_kept(sync())
    yield database_library(sqlite_version())
    yield zone_data(_version("tzdata"), clock.now_ns())
    yield event_loop(is_there=find_spec("uvloop") is not None)


def ownership(check: Callable[[], None]) -> Finding:
    """Say whether another distribution owns one of the program's names."""
    try:
        check()
    except ConfigError as problem:
        remedy = "install foliod in an environment of its own"
        return Finding("fail", "ownership", "; ".join(problem.problems), remedy)
    return Finding("ok", "ownership", "the program's packages are its own")


def clock_runs(clock: Clock) -> Finding:
    """Say whether the clock is plausible and does not run backwards."""
    before, now = clock.now_ns(), clock.now_ns()
    year = int(utc_text(now)[:4])
    remedy = "set the clock and keep it by NTP (timedatectl set-ntp true)"
    if now < before:
        return Finding("fail", "clock", f"went back from {utc_text(before)}", remedy)
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return Finding("fail", "clock", f"says {utc_text(now)}, which cannot be", remedy)
    return Finding("ok", "clock", utc_text(now // SECOND_NS * SECOND_NS))


def clock_kept(state: Sync | None) -> Finding:
    """Say whether the kernel's clock is kept by NTP, as far as the kernel knows.

    No server is asked: what is reached over a network is no check of a machine.
    """
    if state is None:
        return Finding("ok", "clock sync", "the kernel does not say whether its clock is kept")
    off = f"off by at most {state.max_error_s:.3f} s"
    remedy = "keep the clock by NTP (timedatectl set-ntp true); in a container: on its host"
    if not state.is_kept:
        return Finding("warn", "clock sync", "nothing keeps the clock (NTP)", remedy)
    if state.max_error_s > SKEW_WARN_S:
        return Finding("warn", "clock sync", f"kept by NTP, but {off}", remedy)
    return Finding("ok", "clock sync", f"kept by NTP, {off}")


def disk_clock(clock: Clock, folder: Path) -> Finding:
    """Say whether a file made now is stamped by the clock that the program reads."""
    before_ns = clock.now_ns()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            disk_ns = os.fstat(file.fileno()).st_mtime_ns
    except OSError as problem:
        found = f"no file can be made in {folder}: {problem.strerror}"
        return Finding("warn", "clock of the disk", found, f"ls -ld {folder}")
    return stamped(folder, before_ns, disk_ns, clock.now_ns())


def stamped(folder: Path, before_ns: int, disk_ns: int, after_ns: int) -> Finding:
    """Say whether a file's stamp lies between two readings of the clock."""
    skew_s = max(before_ns - disk_ns, disk_ns - after_ns, 0) / SECOND_NS
    found = f"files in {folder} are stamped by the same clock"
    if skew_s <= SKEW_WARN_S:
        return Finding("ok", "clock of the disk", found)
    found = f"files in {folder} are stamped {skew_s:.1f} s off this machine's clock"
    remedy = "keep both clocks by NTP, or name a portfolio.data_dir on a local disk"
    return Finding("warn", "clock of the disk", found, remedy)


def database_library(version: tuple[int, ...]) -> Finding:
    """Say whether SQLite has the defect of two writing connections, and why it does no harm."""
    text = ".".join(map(str, version))
    if version >= SOUND_SQLITE:
        return Finding("ok", "sqlite", f"SQLite {text}")
    return Finding(
        "warn",
        "sqlite",
        f"SQLite {text}: versions up to 3.51.2 can corrupt a WAL database when two connections"
        " write or checkpoint it at once. foliod is safe from it, because each database has one"
        " writing connection, under a lock, and every reader opens it read-only",
        "never write to a run's database with another tool; open it with mode=ro",
    )


def zone_data(version: str, now_ns: int) -> Finding:
    """Say which zone rules are used, and whether they are old."""
    system = [path for path in zoneinfo.TZPATH if os.path.isdir(path)]
    first = f"; the system's come first: {', '.join(system)}" if system else ""
    year = int(day_text(now_ns // SECOND_NS // DAY_S + EPOCH_ORDINAL)[:4])
    if not version and not system:
        remedy = "install the package tzdata; without it windows in civil time cannot be used"
        return Finding("fail", "zones", "there is no zone data", remedy)
    found = f"tzdata {version or 'is not installed'}{first}"
    if version[:4].isdecimal() and int(version[:4]) <= year - _ZONES_OLD_YEARS:
        return Finding("warn", "zones", found, "update tzdata: countries change their clocks")
    return Finding("ok", "zones", found)


def event_loop(*, is_there: bool) -> Finding:
    """Say whether uvloop can be used."""
    if is_there:
        return Finding("ok", "uvloop", f"uvloop {_version('uvloop')}")
    remedy = "install uvloop, or give --loop asyncio"
    return Finding("fail", "uvloop", "is not installed, and is the default loop", remedy)


def disk(folder: Path, free_bytes: int) -> Finding:
    """Say whether there is room for runs."""
    found = f"{free_bytes // MIB:,} MiB free in {folder}"
    remedy = "free space, or name another portfolio.data_dir"
    if free_bytes < DISK_FAIL_BYTES:
        return Finding("fail", "disk", f"{found}, at least {DISK_FAIL_BYTES // MIB} needed", remedy)
    if free_bytes < DISK_WARN_BYTES:
        return Finding("warn", "disk", f"{found}, less than {DISK_WARN_BYTES // MIB}", remedy)
    return Finding("ok", "disk", found)


def folder(what: str, path: Path) -> Finding:
    """Make a folder that is missing, and say whether it can be written, and by whom."""
    name, created = f"folder {what}", "" if path.exists() else ", created"
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as problem:
        found = f"{path} cannot be written: {problem.strerror or problem}"
        return Finding("fail", name, found, f"give yourself the right: ls -ld {path.parent} {path}")
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        found = f"{path} can be written by anybody (mode {mode:o})"
        return Finding("warn", name, found, f"chmod o-w {path}")
    return Finding("ok", name, f"{path} (mode {mode:o}{created})")


def _version(name: str) -> str:
    """Return the version of a distribution, empty when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
