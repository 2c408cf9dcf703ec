"""What every part of the checker is: it is shown each entry before the book folds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from tests.history.book import Book
from tests.history.journal import Row, Violation

Config = Mapping[str, Any]


class Audit:
    """One part: methods named ``on_`` and an entry's kind say what must hold of such an entry."""

    proves: ClassVar[tuple[str, ...]] = ()
    """Ids of the invariants that this part can find broken."""

    def __init__(self, book: Book, found: list[Violation]) -> None:
        """Look at ``book``, add to ``found``."""
        self.book = book
        self.found = found

    def look(self, row: Row) -> None:
        """Judge one entry by what the entries before it made."""
        step: Callable[[Row], None] | None = getattr(self, "on_" + row["type"].lower(), None)
        if step is not None:
            step(row)

    def end(self) -> None:
        """Judge what the journal ends with: nothing, if a part says nothing else."""

    def must(self, holds: bool, invariant: str, row: Row, text: str) -> None:
        """Note a violation unless ``holds``."""
        if not holds:
            self.found.append(Violation(invariant, row["seq"], f"{row['type']}: {text}"))
