"""Blocks: the bytes of a text file in whole lines, forwards or backwards, memory flat.

Opening a file and everything that can be wrong with it before its first row lives here.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from adapters.feeds.files.layout import shown
from state.errors import FeedError

BLOCK_BYTES: Final = 1 << 20
LINE_BYTES: Final = 1 << 20
"""A longer line is no row of a bar file; the limit keeps memory flat."""
HEAD_BYTES: Final = 1 << 16
_BOM: Final = b"\xef\xbb\xbf"
_SAMPLE: Final = 40
"""Bytes shown of a file that is no text."""
_PARQUET: Final = b"PAR1"
_GZIP: Final = b"\x1f\x8b"
_STRANGERS: Final = {
    b"PK\x03\x04": "a ZIP archive; unpack it first",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"SQLite format 3": "a SQLite database; export the bars as CSV or Parquet",
    b"ARROW1": "an Arrow (Feather) file; write it as Parquet",
    b"\x89HDF": "an HDF5 file; write it as Parquet",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save it as CSV",
    b"(\xb5/\xfd": "zstd compressed; decompress it first",
    b"BZh": "bzip2 compressed; decompress it first",
    b"\xfd7zXZ": "xz compressed; decompress it first",
}


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file: its first whole lines, or that it is Parquet.

    ``lines`` hold at most 64 KiB of text without line ends; ``skip`` is the length in bytes of a
    byte order mark before the first line.
    """

    path: Path
    lines: tuple[str, ...]
    is_parquet: bool
    is_gzip: bool
    skip: int


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: ``first_line`` is the 1-based number of the first one, ``body`` their bytes."""

    first_line: int
    body: bytes


def content_digest(path: Path) -> str:
    """Return the BLAKE2b-256 of the file's bytes in hexadecimal, reading it in pieces.

    Raises:
        FeedError: the file cannot be read.
    """
    with opened(path) as stream:
        digest = hashlib.blake2b(digest_size=32)
        while piece := stream.read(BLOCK_BYTES):
            digest.update(piece)
        return digest.hexdigest()


@contextmanager
def opened(path: Path, *, unpack: bool = False) -> Iterator[BinaryIO]:
    """Open a regular file for reading bytes, through gzip when ``unpack``.

    Raises:
        FeedError: missing, a folder, not a regular file, not permitted, or damaged gzip.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise FeedError(f"{path}: is {kind}; give the path of one bar file")
        with open(path, "rb") as stream:
            if unpack:
                with gzip.GzipFile(fileobj=stream) as unpacked:
                    yield cast("BinaryIO", unpacked)
            else:
                yield stream
    except FileNotFoundError:
        raise FeedError(f"{path}: there is no such file{_neighbour(path)}") from None
    except PermissionError:
        raise FeedError(f"{path}: may not be read by this user; check owner and mode") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FeedError(f"{path}: damaged or cut gzip file ({error}); fetch it again") from None
    except OSError as error:
        raise FeedError(f"{path}: cannot be read: {error.strerror or error}") from None


def read_head(path: Path) -> Head:
    """Read the first 64 KiB of a file and say what kind of bytes they are.

    Raises:
        FeedError: unreadable, empty, compressed by something else than gzip, binary, or one
            endless line.
    """
    with opened(path) as stream:
        start = stream.read(HEAD_BYTES)
    is_gzip = start.startswith(_GZIP)
    if is_gzip:
        with opened(path, unpack=True) as stream:
            start = stream.read(HEAD_BYTES)
    if not start:
        raise FeedError(f"{path}: is empty")
    if start.startswith(_PARQUET):
        return Head(path, (), is_parquet=True, is_gzip=is_gzip, skip=0)
    for magic, what in _STRANGERS.items():
        if start.startswith(magic):
            raise FeedError(f"{path}: is {what}")
    skip = len(_BOM) if start.startswith(_BOM) else 0
    text = start[skip:]
    if b"\0" in text:
        raise FeedError(f"{path}: {_not_text(text)}")
    return Head(path, _lines(path, text, len(start)), False, is_gzip, skip)


def _not_text(text: bytes) -> str:
    """Say whether bytes with a NUL are of a binary file or of a text that was damaged."""
    lines_before = text[: text.index(b"\0")].count(b"\n")
    if lines_before and text[:_SAMPLE].isascii():
        return (
            f"line {lines_before + 1} holds NUL bytes, as after a crash while it was written; "
            "fetch it again"
        )
    return f"is binary, neither text nor Parquet; begins {shown(text[:_SAMPLE].decode('latin-1'))}"


def _lines(path: Path, text: bytes, read: int) -> tuple[str, ...]:
    if read == HEAD_BYTES:
        end = text.rfind(b"\n") + 1
        if len(text) - end > HEAD_BYTES // 2:
            line = text[:end].count(b"\n") + 1
            start = text[end : end + 40].decode("utf-8", "replace")
            raise FeedError(
                f"{path}: line {line} is longer than {HEAD_BYTES // 2048} KiB, so this is no bar"
                f" file; it begins {shown(start)}"
            )
        text = text[:end]
    lines = tuple(line.rstrip("\r") for line in text.decode("utf-8", "replace").split("\n"))
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    if not lines:
        raise FeedError(f"{path}: has only blank lines")
    return lines


def forwards(head: Head, header_lines: int) -> Iterator[Block]:
    """Yield the rows of a text file in blocks of whole lines, from the first row on.

    Raises:
        FeedError: unreadable, or a line longer than 1 MiB.
    """
    with opened(head.path, unpack=head.is_gzip) as stream:
        stream.read(head.skip)
        for _ in range(header_lines):
            stream.readline()
        line = 1 + header_lines
        rest = b""
        while piece := stream.read(BLOCK_BYTES):
            end = piece.rfind(b"\n") + 1
            if end == 0:
                rest += piece
                _limit(head.path, line, len(rest))
                continue
            body, rest = rest + piece[:end], piece[end:]
            yield Block(line, body)
            line += body.count(b"\n")
        if rest:
            yield Block(line, rest)


def backwards(head: Head, header_lines: int) -> Iterator[Block]:
    """Yield the same blocks from the end of the file; lines inside a block keep their order.

    Raises:
        FeedError: as ``forwards``; and a gzip file, which cannot be read from its end.
    """
    if head.is_gzip:
        raise FeedError(f"{head.path}: is newest first and gzip; decompress it first")
    line = 1 + sum(block.body.count(b"\n") for block in forwards(head, 0))
    with opened(head.path) as stream:
        start = head.skip
        stream.seek(start)
        for _ in range(header_lines):
            start += len(stream.readline())
        end = stream.seek(0, os.SEEK_END)
        rest = b""
        while end > start:
            begin = max(start, end - BLOCK_BYTES)
            stream.seek(begin)
            piece = stream.read(end - begin) + rest
            end = begin
            cut = 0 if begin == start else piece.find(b"\n", 0, len(piece) - 1) + 1
            if begin > start and cut == 0:
                rest = piece
                _limit(head.path, line, len(rest))
                continue
            body, rest = piece[cut:], piece[:cut]
            line -= body.count(b"\n")
            yield Block(line, body)


def _limit(path: Path, line: int, length: int) -> None:
    if length > LINE_BYTES:
        raise FeedError(
            f"{path}: line {line} is longer than {LINE_BYTES >> 20} MiB, so this is no bar file"
        )


def _neighbour(path: Path) -> str:
    import difflib

    folder = path.parent
    if not folder.is_dir():
        return f", nor its folder {folder}"
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {str(folder / close[0])!r}?" if close else ""
