"""The version of the program, one constant that packaging reads too."""

from typing import Final

VERSION: Final = "0.1.0"
