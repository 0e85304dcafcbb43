"""The styles that can be used: folders of style files, and the names by which they are found there."""

import difflib
import functools
import logging
import unicodedata
from collections.abc import Sequence
from os.path import isfile
from pathlib import Path

from styletransfer.core import Style, StyleInfo
from styletransfer.errors import InvalidInput, InvalidStyleFile, UnknownStyle
from styletransfer.files import attempt, make_folder, replacing, version_of
from styletransfer.stylefile import check_style, load_info, load_preview, load_style
from styletransfer.stylefolders import SUFFIX, find_styles
from styletransfer.text import encodable, is_shown

log = logging.getLogger(__name__)

LONGEST_SLUG = 80  # bytes
MOST_KEPT = 64  # styles in memory, 2.4 MB each
LARGEST_FILE = 2**22  # bytes, of a style file from elsewhere; ours have 0.65 MB
_ACCENTS = 200  # combining classes of Unicode from here on are accents above and below letters


class StyleBank:
    """The styles that can be used, shipped ones and a user's own. Their files are read when asked for.

    Where several folders hold the same name the first one's style is used, and the user's folder is the last,
    so that no file of theirs hides a shipped style.

    Args:  shipped: folders; own: the user's folder, None where there is none.
    """

    def __init__(self, *shipped: Path, own: Path | None = None) -> None:
        self.shipped, self._own = shipped, own

    @property
    def own(self) -> Path:
        """The folder of the user's own styles. Raises InvalidInput where there is none."""
        if self._own is None:
            raise InvalidInput("there is no folder for your own styles; set HOME or give --styles-dir")
        return self._own

    def paths(self) -> dict[str, Path]:
        """Style name -> file, in order of name."""
        return find_styles(self.shipped if self._own is None else (*self.shipped, self._own))

    def is_shipped(self, name: str) -> bool:
        """Whether that name is one of a shipped style, which cannot be removed or replaced."""
        return any(isfile(folder / f"{name}{SUFFIX}") for folder in self.shipped)

    def check_free(self, name: str) -> None:
        """Raise InvalidInput if a new style cannot have that name, or there is no folder for it."""
        taken = find_styles([self.own])
        if self.is_shipped(name):
            raise InvalidInput(f"{name!r} is a shipped style, which is never replaced; choose another name")
        if name in taken:
            error = InvalidInput(f"a style {name!r} exists already; choose another name, or remove it first")
            error.add_note(  # which the page does not show: it has a button
                f"remove it with 'styletransfer styles --remove {name}', and --styles-dir for another folder "
                "than your own, or with `remove_style` in Python"
            )
            raise error

    def remove(self, name: str) -> None:
        """Delete the file of a style of the user's. Raises UnknownStyle, InvalidInput, UnwritableOutput."""
        if self.is_shipped(name):
            raise InvalidInput(f"{name!r} is a shipped style, which is never removed")
        path = self.find(name)
        with attempt(f"remove {path}"):
            path.unlink()

    def add_file(self, path: Path, base_sha256: str, row_length: int) -> StyleInfo:
        """Check a style file from elsewhere and copy it into the user's own styles.

        Raises InvalidStyleFile, InvalidInput where the name is taken, UnwritableOutput.
        """
        if isfile(path) and path.stat().st_size > LARGEST_FILE:
            raise InvalidStyleFile(f"{path} has more than {LARGEST_FILE:,} bytes, which no style file has")
        style = load_style(path)
        check_style(style, base_sha256, row_length)
        if style.info.slug != to_slug(style.info.slug):
            raise InvalidStyleFile(f"{path} holds a style with the invalid name {style.info.slug!r}")
        self.check_free(style.info.slug)
        make_folder(self.own)
        _copy(path, self.own / f"{style.info.slug}{SUFFIX}")
        return style.info

    def export(self, name: str, target: Path) -> None:
        """Copy the file of a style. Raises UnknownStyle, InvalidStyleFile, UnwritableOutput."""
        _copy(self.find(name), target)

    def infos(self) -> dict[str, StyleInfo]:
        """Style name -> its description, without the numbers; a damaged file is logged and left out."""
        infos = {}
        for name, path in self.paths().items():
            try:
                infos[name] = load_info(path)
            except InvalidStyleFile as error:
                log.warning("%s; it is left out", error)
        return infos

    def load(self, name: str) -> Style:
        """The style of that name. Raises UnknownStyle, InvalidStyleFile."""
        path = self.find(name)
        return _kept(path, version_of(path))

    def preview(self, name: str) -> bytes:
        """The small picture in a style's file, without its numbers. Raises UnknownStyle, InvalidStyleFile."""
        return load_preview(self.find(name))

    def find(self, name: str) -> Path:
        """The file of the style of that name. Raises UnknownStyle."""
        paths = self.paths()
        if name not in paths:
            raise unknown(name, list(paths))
        return paths[name]


def _copy(source: Path, target: Path) -> None:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise InvalidStyleFile(f"cannot read {source}: {error.strerror or error}") from error
    with replacing(target) as temporary:
        temporary.write_bytes(content)


@functools.lru_cache(maxsize=MOST_KEPT)
def _kept(path: Path, version: tuple[int, int, int] | None) -> Style:
    """A style file in that version; shared by all banks, as every visitor of the page has one."""
    return load_style(path)


def unknown(name: str, known: Sequence[str]) -> UnknownStyle:
    """The error for a name that is not among the known ones; it suggests the nearest of them."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UnknownStyle(f"no style named {name!r}; {hint}'styletransfer styles' lists all {len(known)}")


def to_slug(title: str) -> str:
    """The name that a title is used by: "My Style, II" becomes "my-style-ii". Raises InvalidInput."""
    if not is_shown(encodable(title)):
        raise InvalidInput(f"the name {title!r} has letters that cannot be shown; leave them out")
    plain = unicodedata.normalize("NFKD", title).casefold()
    bare = (letter for letter in plain if unicodedata.combining(letter) < _ACCENTS)
    kept = "".join(letter if _is_written(letter) else " " for letter in bare)
    slug = unicodedata.normalize("NFC", "-".join(kept.split()))
    if not slug:
        raise InvalidInput(f"the name {title!r} has no letter or digit; give the style another one")
    if len(slug.encode()) > LONGEST_SLUG:
        raise InvalidInput(
            f"the name {title[:40]!r}... is too long; give at most {LONGEST_SLUG} bytes of letters"
        )
    return slug


def _is_written(letter: str) -> bool:
    """Whether it is a letter, a digit, or a mark that some scripts spell words with."""
    return letter.isalnum() or unicodedata.category(letter).startswith("M")
