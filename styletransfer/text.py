"""Text for people: what can be encoded, what a terminal shows, and commands as they are recorded."""

import re
import shlex
import unicodedata
from pathlib import Path

from styletransfer.files import real

_HIDDEN = ("Cc", "Cs", "Zl", "Zp")  # categories of Unicode: control characters, half pairs, ends of lines


def encodable(name: str) -> str:
    """A text, such as a file's name, that can be encoded: bytes in it that are not UTF-8 become U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", name)  # Python reads such bytes as halves of surrogate pairs


def is_shown(text: str) -> bool:
    """Whether a terminal and a page show it as it is, without characters that command or break them."""
    return not any(unicodedata.category(letter) in _HIDDEN for letter in text)


def recorded(command: str, *words: str, **options: object) -> str:
    """A command that makes the same again, to be kept in files that are passed on.

    Of paths only the last part is recorded, as the rest is private. Options that are None are left out, and a
    list gives its option several times.
    """
    told = [*words]
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                text = real(each).name if isinstance(each, Path) else str(each)
                told += [f"--{name.replace('_', '-')}", text]
    return encodable(shlex.join(["styletransfer", command, *told]))
