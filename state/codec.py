"""The one written form of journal entries and snapshots: canonical JSON, and the chain over it.

Canonical: fields in the order of their declaration, amounts as decimal text, the kind under
``type``. Entries written by older versions stay readable, because fields are only ever added, with
a default. Does no IO. Never writes a number that is not finite: JSON has none, and a NaN would come
back as nothing.
"""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec
import msgspec.inspect

from state.entries import Entry
from state.errors import JournalError
from state.portfolio import Portfolio

GENESIS: Final = bytes(16)
"""The chain before the first entry."""

_ENCODER: Final = msgspec.json.Encoder(decimal_format="string")
_DECODER: Final[msgspec.json.Decoder[Entry]] = msgspec.json.Decoder(Entry)


class Snapshot(msgspec.Struct):
    """A cache of the fold: the whole portfolio after the entry that the snapshot is named by.

    Beside it what the journal does not hold and later decisions depend on, as ``state()`` gave it:
    ``engines`` by key, market ``series`` by ``SYMBOL/interval in ns``, and the ``drawdown`` watch.
    What is absent must be shown its bars again. ``work`` is what a daemon needs besides to go on,
    as JSON that it alone reads; null in the snapshot of a finished replay.
    """

    portfolio: Portfolio
    engines: dict[str, Any] = msgspec.field(default_factory=dict)
    series: dict[str, Any] = msgspec.field(default_factory=dict)
    drawdown: dict[str, Any] = msgspec.field(default_factory=dict)
    work: msgspec.Raw = msgspec.Raw(b"null")


_SNAPSHOT_DECODER: Final = msgspec.json.Decoder(Snapshot)
_ANY: Final = msgspec.json.Decoder()


def encode(entry: Entry) -> bytes:
    """Write one entry as canonical JSON.

    Raises:
        JournalError: a number is NaN or infinite, a text is not Unicode, or a value is of a type
            that the journal does not know (a numpy scalar).
    """
    try:
        payload = _ENCODER.encode(entry)
    except (TypeError, ValueError) as problem:
        raise JournalError(f"{type(entry).__name__} cannot be journalled: {problem}") from problem
    # The encoder writes a NaN float as null and a NaN amount as text. Nearly every entry has
    # neither word in it, and only one that has is looked at field by field.
    if b"null" in payload or b"NaN" in payload or b"Infinity" in payload:
        _refuse_not_finite(entry, type(entry).__name__)
    return payload


def decode(payload: bytes) -> Entry:
    """Read one entry back.

    Raises:
        JournalError: the bytes are no entry, or of a kind that this version does not know.
    """
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise JournalError(
            f"a journal entry cannot be read: {problem}; found {payload[:80]!r}. It is damaged, or"
            " a newer foliod wrote it: run `foliod verify`, or use the version that wrote it"
        ) from problem


class Head(msgspec.Struct, frozen=True, gc=False):
    """What every entry has: its kind's name and its instant."""

    type: str
    at_ns: int


_HEAD_DECODER: Final = msgspec.json.Decoder(Head)


def head(payload: bytes) -> Head:
    """Read only the head of an entry: much cheaper than all of it.

    Raises:
        JournalError: the bytes are no entry.
    """
    try:
        return _HEAD_DECODER.decode(payload)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise JournalError(f"a journal entry cannot be read: {problem}") from problem


def kind(entry: Entry) -> str:
    """Return the name of the entry's kind, the tag in its JSON."""
    return type(entry).__name__


def chain(previous: bytes, payload: bytes) -> bytes:
    """Return the link (16 bytes) after ``payload``: BLAKE2b-128 over the previous link and it."""
    return hashlib.blake2b(previous + payload, digest_size=16).digest()


def digest(payload: bytes) -> str:
    """Return BLAKE2b-128 of some bytes, in hexadecimal."""
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


def encode_snapshot(snapshot: Snapshot | Portfolio) -> bytes:
    """Write a snapshot, or one of a portfolio alone.

    Mappings keep their order, since what is forgotten first depends on it.
    """
    if isinstance(snapshot, Portfolio):
        snapshot = Snapshot(snapshot)
    return _ENCODER.encode(snapshot)


def survives(state: object) -> bool:
    """Say whether a state is JSON through and through, so that a snapshot gives it back equal."""
    try:
        return bool(_ANY.decode(_ENCODER.encode(state)) == state)
    except (TypeError, ValueError, RecursionError):
        return False


def decode_snapshot(payload: bytes) -> Snapshot:
    """Read a snapshot back.

    Raises:
        JournalError: the bytes are no snapshot; it is a cache, so fold the journal instead.
    """
    try:
        return _SNAPSHOT_DECODER.decode(payload)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise JournalError(f"a snapshot cannot be read: {problem}; fold the journal") from problem


def _refuse_not_finite(value: msgspec.Struct, path: str) -> None:
    for name in _suspects(type(value)):
        inner = getattr(value, name)
        if isinstance(inner, msgspec.Struct):
            _refuse_not_finite(inner, f"{path}.{name}")
        elif isinstance(inner, tuple):
            for index, part in enumerate(inner):
                _refuse_not_finite(part, f"{path}.{name}[{index}]")
        elif isinstance(inner, Decimal):
            if not inner.is_finite():
                raise _not_finite(f"{path}.{name}", inner)
        elif isinstance(inner, float) and not math.isfinite(inner):
            raise _not_finite(f"{path}.{name}", inner)


def _not_finite(path: str, value: float | Decimal) -> JournalError:
    return JournalError(
        f"{path} is {value}: the journal holds finite numbers only. Whoever made the entry must"
        " refuse before it gets here; this is a defect, please report it"
    )


@cache
def _suspects(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the fields that can hold a number that is not finite, or a struct with one."""
    shape = msgspec.inspect.type_info(struct)
    assert isinstance(shape, msgspec.inspect.StructType)
    return tuple(field.name for field in shape.fields if _may_be_not_finite(field.type))


def _may_be_not_finite(shape: msgspec.inspect.Type) -> bool:
    if isinstance(shape, msgspec.inspect.UnionType):
        return any(_may_be_not_finite(part) for part in shape.types)
    if isinstance(shape, msgspec.inspect.StructType):
        return any(_may_be_not_finite(field.type) for field in shape.fields)
    if isinstance(shape, msgspec.inspect.VarTupleType):
        item = shape.item_type
        return isinstance(item, msgspec.inspect.StructType) and _may_be_not_finite(item)
    return isinstance(shape, msgspec.inspect.FloatType | msgspec.inspect.DecimalType)
