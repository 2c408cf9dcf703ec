"""Secrets: the one place that reads them, and a type that does not show them (X1).

A secret has a name; the configuration holds names only. It is looked for in this order: systemd's
credentials folder, the secrets folder (one file each, readable by its owner alone), the environment
(``FOLIOD_SECRET_NAME``). No message of this module holds a value.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from state.errors import ConfigError

SECRET_PREFIX: Final = "FOLIOD_SECRET_"
"""What the name of a variable that holds a secret begins with: FOLIOD_SECRET_OPS_WEBHOOK."""
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""The variable in which systemd says where the credentials of a unit are."""
NAME: Final = "[a-z][a-z0-9_]{0,63}"
NAME_TEXT: Final = "the name of a secret: small letters, digits and _, such as ops_webhook"
HIDDEN: Final = "(hidden)"
_MAX_BYTES: Final = 65_536
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_SHORTEST: Final = 4
"""A shorter value is not searched for in texts: it would blot out half of them."""


class Secret:
    """A value that shows itself to whoever calls ``reveal``, and to nobody else.

    ``name`` is the configuration's, ``source`` says where it was found.
    """

    __slots__ = ("_value", "name", "source")

    def __init__(self, name: str, value: str, source: str) -> None:
        """Take a value; it is never empty."""
        self.name = name
        self.source = source
        self._value = value

    def reveal(self) -> str:
        """Return the value: for the one call that needs it, never for a text."""
        return self._value

    def __repr__(self) -> str:
        """Return the name, hidden in place of the value."""
        return f"Secret({self.name!r}, {HIDDEN})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Return the same as ``repr``, whatever is asked for."""
        return repr(self)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError(f"the secret {self.name} is not written anywhere")


class SecretFact(NamedTuple):
    """What is known of a secret without its value.

    ``problem`` and ``remedy`` are empty when it can be used.
    """

    name: str
    source: str
    problem: str = ""
    remedy: str = ""


class Secrets:
    """Reads secrets by name. Nothing is kept: each call looks again."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Take the secrets folder, which need not exist, and the environment."""
        self._folder = folder
        self._environ = environ
        given = environ.get(CREDENTIALS)
        self._credentials = Path(given) if given else None

    def get(self, name: str) -> Secret:
        """Return a secret.

        Raises:
            ConfigError: it is nowhere, others may read it, or it is empty or no line of text.
        """
        found = self._look(name)
        if isinstance(found, SecretFact):
            raise ConfigError(f"secret {name}: {found.problem}; {found.remedy}")
        return found

    def fact(self, name: str) -> SecretFact:
        """Say whether a secret can be used and where it is; never its value."""
        found = self._look(name)
        return SecretFact(name, found.source) if isinstance(found, Secret) else found

    def _look(self, name: str) -> Secret | SecretFact:
        if self._credentials is not None:
            path = self._credentials / name
            if path.exists():
                # systemd keeps this folder for the unit alone; what its modes say is its business.
                return _read(name, path, f"systemd credential {path}", is_ours=False)
        path = self._folder / name
        if os.path.lexists(path):
            return _read(name, path, f"file {path}", is_ours=True)
        variable = SECRET_PREFIX + name.upper()
        if variable in self._environ:
            source = f"variable {variable}"
            return _made(name, self._environ[variable], source, f"set {variable} anew")
        return SecretFact(
            name,
            "",
            "is in none of the places where secrets are looked for",
            f"write it into {path} (chmod 600), or set {variable}, or give it to the unit with"
            f" LoadCredential={name}:PATH",
        )


def hide(text: str, secret: Secret) -> str:
    """Return a text without the value of one secret."""
    value = secret.reveal()
    return text.replace(value, HIDDEN) if len(value) >= _SHORTEST else text


def hide_all(secrets: Iterable[Secret], text: str) -> str:
    """Return a text without the values of these secrets."""
    for one in secrets:
        text = hide(text, one)
    return text


def _read(name: str, path: Path, source: str, *, is_ours: bool) -> Secret | SecretFact:
    remedy = f"put the secret alone into the file {path}, and chmod 600 {path}"
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return SecretFact(name, source, f"{path} is no regular file", remedy)
            mode = stat.S_IMODE(status.st_mode)
            if is_ours and mode & _OTHERS:
                found = f"{path} has mode {mode:03o}: others than its owner may use it"
                return SecretFact(name, source, found, f"chmod 600 {path}")
            raw = file.read(_MAX_BYTES + 1)
    except OSError as problem:
        return SecretFact(name, source, f"{path} cannot be read: {problem.strerror}", remedy)
    if len(raw) > _MAX_BYTES:
        return SecretFact(name, source, f"{path} is larger than {_MAX_BYTES} bytes", remedy)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return SecretFact(name, source, f"{path} is not UTF-8 text", remedy)
    return _made(name, text, source, remedy)


def _made(name: str, text: str, source: str, remedy: str) -> Secret | SecretFact:
    value = text.strip()
    if not value:
        return SecretFact(name, source, f"the {source} is empty", remedy)
    if not value.isprintable():
        return SecretFact(name, source, f"the {source} holds more than one line of text", remedy)
    return Secret(name, value, source)
