"""What a process did to its disk, call by call, and what a disk holds when the power goes.

``record`` lets ``strace`` write every call down. ``Disk`` follows them: what was synced is on the
disk, of everything else any part may be. Files grow as on ext4 and XFS: of lines appended and not
synced, a beginning is there, cut at any byte. A write at an offset may be there, be gone or be torn
between two sectors, whatever became of those before it. A name that was made, moved or removed is
certain only once its folder was synced; before that, a beginning of such changes is. Folders are
there.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random  # noqa: TID251 - seeded by whoever cuts

import msgspec

SECTOR = 512
CALLS = "openat,pwrite64,write,fsync,fdatasync,ftruncate,truncate,unlink,rename"
_LINE = re.compile(r"(\d+)\s+(.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_UNFINISHED = " <unfinished ...>"
_TEXT = re.compile(r'<((?:\\x[0-9a-f]{2})*)>|"((?:\\x[0-9a-f]{2})*)"')


class Call(msgspec.Struct, frozen=True):
    """One call that succeeded.

    ``name`` is create, write, sync, truncate, unlink, rename or say (to stdout). ``at`` is the
    offset of a write, None: at the end, or the size that is left. ``more`` is what was written, or
    the new name.
    """

    name: str
    path: str
    at: int | None = None
    more: bytes = b""


def has_strace() -> bool:
    """Whether calls can be recorded here: strace is installed, and may trace."""
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return done.returncode == 0


def record(command: Sequence[str], folder: Path, log: Path, env: Mapping[str, str]) -> list[Call]:
    """Run a command to its end and return what it did to the files below ``folder``, in order.

    Raises:
        RuntimeError: the command failed; with what it said.
    """
    trace = ["strace", "-f", "-qq", "-y", "-xx", "-s", str(1 << 22), "-o", str(log)]
    trace += ["-e", f"trace={CALLS}", "-e", "signal=none", "--seccomp-bpf"]
    done = subprocess.run([*trace, *command], capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the traced process ended with {done.returncode}: {done.stderr}")
    return [call for line in _whole(log) if (call := _call(line, str(folder))) is not None]


def _whole(log: Path) -> Iterator[str]:
    """Yield the log's calls, those that another thread's cut in two as one, where they ended."""
    begun: dict[str, str] = {}
    with log.open() as file:
        for line in file:
            found = _LINE.match(line)
            assert found is not None, line[:80]
            thread, text = found.groups()
            if text.endswith(_UNFINISHED):
                begun[thread] = text.removesuffix(_UNFINISHED)
                continue
            rest = _RESUMED.match(text)
            yield begun.pop(thread) + rest[1] if rest else text


def _call(text: str, folder: str) -> Call | None:
    """Read one line; None for what failed or touched other files."""
    name, _, rest = text.partition("(")
    given, _, answer = rest.rpartition(" = ")
    if answer.startswith(("-1 ", "?")):
        return None
    given = given.rstrip().removesuffix(")")
    texts = [bytes.fromhex((one[0] or one[1]).replace("\\x", "")) for one in _TEXT.findall(given)]
    if name == "write" and given.startswith("1<"):
        return Call("say", "", more=texts[1])
    if name == "openat":
        path = os.path.join(os.fsdecode(texts[0]), os.fsdecode(texts[1]))
    else:
        path = os.fsdecode(texts[0])
    if not f"{path}/".startswith(f"{folder}/"):
        return None
    if name == "openat":
        if "O_TRUNC" in given:
            return Call("create", path, at=0)
        return Call("create", path) if "O_CREAT" in given else None
    if name in ("pwrite64", "write"):
        at = int(given.rpartition(", ")[2]) if name == "pwrite64" else None
        return Call("write", path, at, texts[1][: int(answer.split()[0])])
    if name in ("truncate", "ftruncate"):
        return Call("truncate", path, int(given.rpartition(", ")[2]))
    more = texts[1] if name == "rename" else b""
    return Call("sync" if "sync" in name else name, path, more=more)


class _Content:
    """What is in a file: on the disk, and, not yet certain, after it."""

    def __init__(self) -> None:
        self.synced = bytearray()
        self.waiting: list[Call] = []
        self.size = 0

    def take(self, call: Call) -> None:
        if call.name == "truncate":
            assert call.at is not None
            self.size = call.at
        else:
            at = self.size if call.at is None else call.at
            self.size = max(self.size, at + len(call.more))
        self.waiting.append(call)

    def sync(self) -> None:
        for call in self.waiting:
            _apply(self.synced, call)
        self.waiting.clear()

    def cut(self, random: Random) -> bytes:
        found = bytearray(self.synced)
        how = random.choice(("none", "all", "beginning", "any"))
        if not self.waiting or how == "none":
            return bytes(found)
        if how == "all":
            kept = list(self.waiting)
        elif how == "beginning" or any(one.at is None for one in self.waiting):
            kept = self.waiting[: random.randrange(len(self.waiting) + 1)]
            kept = [*kept[:-1], *_torn(kept[-1], random)] if kept else []
        else:
            kept = [part for one in self.waiting for part in _some(one, random)]
        for call in kept:
            _apply(found, call)
        return bytes(found)


def _apply(content: bytearray, call: Call) -> None:
    if call.name == "truncate":
        assert call.at is not None
        del content[call.at :]
        content.extend(bytes(call.at - len(content)))
        return
    at = len(content) if call.at is None else call.at
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(call.more)] = call.more


def _some(call: Call, random: Random) -> Iterator[Call]:
    how = random.randrange(3)
    if how == 0:
        yield call
    elif how == 1:
        yield from _torn(call, random)


def _torn(call: Call, random: Random) -> Iterator[Call]:
    """Yield what is left of a call: of lines a beginning, of a write at an offset some sectors."""
    if call.name == "truncate":
        return
    if call.at is None:
        yield Call("write", call.path, None, call.more[: random.randrange(len(call.more) + 1)])
        return
    begin, end = call.at, call.at + len(call.more)
    edges = [begin, *range(begin // SECTOR * SECTOR + SECTOR, end, SECTOR), end]
    for first, last in itertools.pairwise(edges):
        if random.random() < 0.5:
            yield Call("write", call.path, first, call.more[first - begin : last - begin])


class Disk:
    """The files of one folder, as calls make them."""

    def __init__(self) -> None:
        """Begin with an empty folder."""
        self._names: dict[str, _Content] = {}
        self._certain: dict[str, _Content] = {}
        self._changes: list[tuple[str, _Content | None]] = []

    def take(self, call: Call) -> None:
        """Follow one call."""
        path = call.path
        if call.name == "create":
            if path not in self._names:
                self._change(path, _Content())
            elif call.at == 0:
                self._names[path].take(Call("truncate", path, 0))
        elif call.name == "unlink":
            self._change(path, None)
        elif call.name == "rename":
            moved = self._names[path]
            self._change(os.fsdecode(call.more), moved)
            self._change(path, None)
        elif call.name == "sync" and path in self._names:
            self._names[path].sync()
        elif call.name == "sync":
            self._sync_folder(path)
        elif call.name != "say":
            self._names[path].take(call)

    def cut(self, random: Random) -> dict[str, bytes]:
        """Return what may be on the disk now, by path."""
        names = dict(self._certain)
        for path, content in self._changes[: random.randrange(len(self._changes) + 1)]:
            _name(names, path, content)
        return {path: content.cut(random) for path, content in sorted(names.items())}

    def _change(self, path: str, content: _Content | None) -> None:
        _name(self._names, path, content)
        self._changes.append((path, content))

    def _sync_folder(self, folder: str) -> None:
        rest = []
        for path, content in self._changes:
            if os.path.dirname(path) == folder:
                _name(self._certain, path, content)
            else:
                rest.append((path, content))
        self._changes = rest


def _name(names: dict[str, _Content], path: str, content: _Content | None) -> None:
    if content is None:
        names.pop(path, None)
    else:
        names[path] = content
