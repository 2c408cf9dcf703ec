"""Making texts from outside safe to show: names, reasons and notes may hold anything.

Used by reports and by the commands' tables. No terminal escape, no control character and no
right-to-left override leaves this program.
"""

from __future__ import annotations

import re
from typing import Final

_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_MARKDOWN: Final = re.compile(r"([\\`*{}\[\]<>|#~!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def plain(text: str) -> str:
    r"""Return one line of text whose control and direction characters are written as ``\x1b``.

    >>> plain("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isascii() and text.isprintable():
        return text  # as nearly every name is
    return _UNSAFE.sub(_written, text)


def markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line, also inside a table."""
    return _MARKDOWN.sub(r"\\\1", plain(text)).replace("&", "&amp;")


def _written(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
