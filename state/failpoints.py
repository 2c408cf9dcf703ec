"""Named points between a decision and its last trace on the disk, at which tests strike.

Inert: ``hit`` does nothing until somebody in the same process calls ``arm``. No setting, argument
or environment variable arms one, and no module of the program calls ``arm`` (an architecture test
holds it to that), so that nobody can strike a daemon from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

POINTS: Final = {
    "recovery.opened": "the database is open, nothing is read",
    "recovery.folded": "there is no snapshot; the journal is folded, no bar is shown yet",
    "recovery.restored": "the snapshot is taken back, the tail is not yet decided again",
    "recovery.held": "one entry of the tail was decided again and is the same",
    "recovery.caught_up": "the whole tail is decided again",
    "run.beginning": "recovered; the process has not recorded that it goes on",
    "run.begun": "RunStarted is durable",
    "instant.filled": "what resting orders did at this instant is recorded, engines are not asked",
    "instant.asked": "the engines have answered, nothing is decided",
    "instant.concluded": "all of the instant is recorded and carried out",
    "day.consumed": "the day's bars are journalled as consumed, there is no snapshot of it yet",
    "batch.decided": "the desk has decided, nothing is recorded",
    "batch.taken": "the entries are on their way to the disk, not applied",
    "batch.applied": "the entries are applied, no effect is carried out",
    "orders.durable": "the intents of all orders that leave together are on the disk",
    "effect.leaving": "one effect is about to go to the venue",
    "effect.left": "the venue has it, its news is not heard",
    "batch.carried_out": "all effects of a batch are carried out",
    "writer.taken": "the writer has taken what waits, no transaction is open",
    "writer.begun": "the transaction is open, nothing is in it",
    "writer.inserted": "the journal's rows are in the transaction, the tables' are not",
    "writer.projected": "all rows are in, there is no commit",
    "writer.committed": "committed, not acknowledged",
    "writer.acknowledged": "acknowledged",
    "writer.finishing": "everything is committed, the log is not yet moved into the database",
    "snapshot.encoded": "a snapshot is made, not written",
    "snapshot.durable": "the snapshot is durable",
    "run.ending": "the last snapshot is durable, RunEnded is not",
    "run.ended": "RunEnded is durable",
    "file.written": "a file's new content is beside it under another name, durable",
    "file.replaced": "the file has its new content",
    "lines.flushing": "status lines are about to be handed to the operating system",
    "lines.flushed": "status lines are handed over",
    "kill.latched": "what the kill file orders is journalled, the gate is not told",
}
"""Name of each point: what is true when it is hit."""

Strike = Callable[[str], None]
"""What happens at a point whose name it is given: nothing, an exception, the end of the process."""

_strike: Strike | None = None


def hit(name: str) -> None:
    """Say that a point is reached."""
    if _strike is not None:
        _strike(name)


def arm(strike: Strike | None) -> None:
    """Let ``strike`` be called at every point of this process from now on; None: nothing."""
    global _strike
    _strike = strike
