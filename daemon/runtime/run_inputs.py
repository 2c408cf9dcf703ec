"""What a run reads beside its bars and its configuration: the news file and user strategies' files.

It digests what the settings name. It does not follow the imports of a strategy's file, and reads no
entry point: those are installed code, with a version of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adapters.feeds.files.blocks import content_digest
from config.settings import Settings
from daemon.runtime.loading import file_of
from daemon.runtime.run_folder import InputNote

NEWS: Final = "news"
STRATEGY: Final = "strategy"


def input_notes(settings: Settings, folder: Path) -> list[InputNote]:
    """Digest the news file and every file of an enabled strategy, each once, in order of path.

    ``folder`` is where relative strategy files are looked for.

    Raises:
        FeedError: one of them cannot be read.
    """
    found: set[tuple[str, Path]] = set()
    if settings.news.file is not None:
        found.add((NEWS, settings.news.file.absolute()))
    for one in settings.strategies:
        path = file_of(one.kind, folder) if one.enabled else None
        if path is not None:
            found.add((STRATEGY, path.absolute()))
    return [InputNote(kind, str(path), content_digest(path)) for kind, path in sorted(found)]
