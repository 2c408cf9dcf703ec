"""Two journals beside each other, and the first difference between them in words.

It compares payloads as bytes, and reads them only to say what differs. It opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import msgspec

from adapters.feeds.resample import interval_text
from daemon.core.plain import plain
from state.units import NEVER_NS, utc_text
from state.verdicts import Verdict

_FIELDS: Final = 6
"""Differing fields told of one entry; the rest is counted."""
_LONGEST: Final = 120
_ABSENT: Final = object()


class Compared(NamedTuple):
    """``same`` entries agree from the first on; ``text`` names what is next, empty: nothing."""

    same: int
    text: str


def first_difference(
    kept: Iterable[tuple[int, bytes]],
    again: Iterable[tuple[int, bytes]],
    *,
    whole: bool,
    adapted: Callable[[bytes], bytes] = bytes,
) -> Compared:
    """Compare the payloads of a journal with those re-decided, both (seq, bytes) in order.

    Unless ``whole``, what was re-decided may go on after the journal's end. ``adapted`` rewrites
    a re-decided payload before it is compared.
    """
    same = 0
    for one, other in zip_longest(kept, again):
        if one is None:
            if not whole:
                break
            text = f"the journal ends before it; re-decided, it is {_title(_read(other[1]))}"
            return Compared(same, f"entry {other[0]}: {text}")
        if other is None:
            text = f"{_title(_read(one[1]))}: re-decided, the run ends before it"
            return Compared(same, f"entry {one[0]} {text}")
        if one[1] != other[1]:
            remade = adapted(other[1])
            if one[1] != remade:
                return Compared(same, in_words(one[0], one[1], remade))
        same += 1
    return Compared(same, "")


def in_words(seq: int, kept: bytes, again: bytes) -> str:
    """Say how entry number ``seq`` of a journal differs from what was re-decided."""
    one, other = _read(kept), _read(again)
    if one is None:
        return f"entry {seq} cannot be read; re-decided, it is {_title(other)}"
    if other is None or one.get("type") != other.get("type"):
        return f"entry {seq}: the journal has {_title(one)}; re-decided, it is {_title(other)}"
    found = [
        f"{path} is {_value(path, a)} in the journal, re-decided {_value(path, b)}"
        for path, a, b in _fields(one, other, "")
    ]
    more = f"; and {len(found) - _FIELDS} more fields" if len(found) > _FIELDS else ""
    # Bytes that differ while every value is equal: another order of fields, other white space.
    told = "; ".join(found[:_FIELDS]) or "the same values are written in another form"
    return f"entry {seq} {_title(one)}: {told}{more}{_meaning(one, found)}"


def _meaning(entry: Mapping[str, Any], found: list[str]) -> str:
    if entry.get("type") != "BarsConsumed" or not any(one.startswith("digest") for one in found):
        return ""
    return ". Bars of that series are not those of the run, from its last such entry up to here"


def _read(payload: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if isinstance(found.get("verdicts"), list):
        found["verdicts"] = _verdicts(found["verdicts"])
    return found


def _verdicts(items: list[Any]) -> dict[str, Any]:
    """Name verdicts by their gate and their fields by name; the journal has neither."""
    named = {}
    for place, item in enumerate(items):
        fields = item if isinstance(item, list) else [item]
        found = dict(zip(Verdict.__struct_fields__, fields, strict=False))
        named[f"[{found.get('gate', place)}]"] = found
    return named


def _title(entry: Mapping[str, Any] | None) -> str:
    """Return kind, instant and whom it is about, of an entry as plain JSON."""
    if entry is None:
        return "something that is no entry"
    inner = entry.get("intent") or entry.get("instrument") or entry
    about = [str(inner[key]) for key in ("symbol", "strategy") if inner.get(key)]
    if isinstance(entry.get("interval_ns"), int):
        about.append(interval_text(entry["interval_ns"]))
    about = about or [str(entry[key]) for key in ("name", "intent_id", "trade_id") if key in entry]
    at = _value("at_ns", entry.get("at_ns"))
    return plain(f"{entry.get('type', 'entry')} at {at}" + (f", {'/'.join(about)}" * bool(about)))


def _fields(kept: Any, again: Any, path: str) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401
    """Yield (path, kept, again) of every value that differs."""
    if isinstance(kept, list) and isinstance(again, list):
        kept, again = _placed(kept), _placed(again)
    if isinstance(kept, dict) and isinstance(again, dict):
        for key in [*kept, *(key for key in again if key not in kept)]:
            below = key if key.startswith("[") or not path else f".{key}"
            yield from _fields(kept.get(key, _ABSENT), again.get(key, _ABSENT), path + below)
    elif kept != again or type(kept) is not type(again):
        yield path, kept, again


def _placed(items: list[Any]) -> dict[str, Any]:
    return {f"[{place}]": item for place, item in enumerate(items)}


def _value(path: str, value: Any) -> str:  # noqa: ANN401
    if value is _ABSENT:
        return "not there"
    if value is None:
        return "none"
    if isinstance(value, int) and not isinstance(value, bool) and path.endswith("_ns"):
        return _instant(path, value)
    text = value if isinstance(value, str) and value else msgspec.json.encode(value).decode()
    return plain(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")


def _instant(path: str, value: int) -> str:
    if path.endswith("interval_ns"):
        return interval_text(value)
    try:
        return "never" if value == NEVER_NS else utc_text(value)
    except (ValueError, OverflowError):
        return str(value)
