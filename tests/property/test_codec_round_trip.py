"""Every entry that the types allow comes back from the journal as it was."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import msgspec.inspect
from hypothesis import given
from hypothesis import strategies as st

from state import codec
from state.entries import Entry
from state.errors import JournalError

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_PLAIN: dict[type, st.SearchStrategy[Any]] = {
    msgspec.inspect.IntType: st.integers(),
    msgspec.inspect.StrType: _TEXT,
    msgspec.inspect.BoolType: st.booleans(),
    msgspec.inspect.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    msgspec.inspect.DecimalType: st.decimals(allow_nan=False, allow_infinity=False),
    msgspec.inspect.NoneType: st.none(),
}


def _values(shape: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    if isinstance(shape, msgspec.inspect.UnionType):
        return st.one_of([_values(part) for part in shape.types])
    if isinstance(shape, msgspec.inspect.VarTupleType):
        return st.lists(_values(shape.item_type), max_size=3).map(tuple)
    if isinstance(shape, msgspec.inspect.StructType):
        fields = {field.name: _values(field.type) for field in shape.fields}
        return st.builds(shape.cls, **fields)
    return _PLAIN[type(shape)]


ENTRIES = st.one_of([_values(msgspec.inspect.type_info(kind)) for kind in get_args(Entry)])


@given(ENTRIES)
def test_every_entry_round_trips(entry: Entry) -> None:
    """Decoding gives an equal entry, and encoding that gives the same bytes."""
    payload = codec.encode(entry)

    again = codec.decode(payload)

    assert entry == again
    assert type(entry) is type(again)
    assert payload == codec.encode(again)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_entry_or_a_journal_error(payload: bytes) -> None:
    """Reading never fails in another way."""
    try:
        codec.decode(payload)
    except JournalError as problem:
        assert "cannot be read" in str(problem)
