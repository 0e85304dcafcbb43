"""What visitors make here: the painting that the page shows, earlier ones, and own styles."""

import math
import secrets
import shutil
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.errors import UnwritableOutput
from styletransfer.files import attempt
from styletransfer.page.wish import Wish
from styletransfer.settings import WHOLE_PIXELS

KEPT_PAINTINGS = 12
THUMBNAIL_SIDE = 256  # pixels


@dataclass
class Painted:
    """A full painting, with its photo, its wish, the note that was shown, and its files by format.

    Instead of the painting there may be the file that it is read from.
    """

    photo: str
    wish: Wish
    painting: Image.Image | Path
    note: str
    files: dict[str, Path] = field(default_factory=dict)

    def rest(self) -> None:
        """Keep the painting on disk alone: in its PNG, or if it is large and opaque in any of its files."""
        if isinstance(self.painting, Path):
            return
        large = math.prod(self.painting.size) > WHOLE_PIXELS and self.painting.mode == "RGB"
        formats = ("PNG", "JPEG", "WebP") if large else ("PNG",)
        files = [self.files[each] for each in formats if each in self.files]
        self.painting = next((file for file in files if file.exists()), self.painting)

    def picture(self) -> Image.Image:
        """The painting, read again if need be. Raises UnreadableImage."""
        found = self.painting
        if isinstance(found, Path):
            picture = images.read_picture(found)
            return images.to_pil(picture.rgb, picture.alpha, images.read_metadata(found))
        return found


@dataclass(frozen=True)
class Earlier:
    """An earlier painting: files to look at of photo and painting, a thumbnail, and the painting itself."""

    shown: tuple[Path, Path]
    small: Path
    file: Path
    title: str
    note: str


@dataclass
class Belongings:
    """What outlives an open page: own styles, which `transfer` uses, and the last paintings.

    Whoever can name the `key` has the same; `folder` is removed when nobody has them any more.
    """

    transfer: StyleTransfer
    folder: Path
    key: str = field(default_factory=secrets.token_urlsafe)
    earlier: deque[Earlier] = field(default_factory=deque)

    def keep(self, painting: Image.Image, shown: tuple[str, str], file: Path, title: str, note: str) -> None:
        """Add a painting as copies of its files, and remove the oldest; does nothing if the disk is full."""
        folder = self.folder / secrets.token_hex(8)
        try:
            made(self.folder)
            folder.mkdir()
            before, after = (Path(shutil.copy(each, folder)) for each in shown)
            small = images.on_white(painting)
            small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
            small_file = folder / f"{folder.name}.jpg"  # a unique name, which identifies a click
            images.save_preview(small, small_file)
            kept = Path(shutil.copy(file, folder))
        except (OSError, UnwritableOutput):
            shutil.rmtree(folder, ignore_errors=True)
            return
        self.earlier.appendleft(Earlier((before, after), small_file, kept, title, note))
        while len(self.earlier) > KEPT_PAINTINGS:
            shutil.rmtree(self.earlier.pop().file.parent, ignore_errors=True)


def made(folder: Path) -> Path:
    """The folder, made again if need be: some systems clean up temporary folders. Raises UnwritableOutput."""
    with attempt(f"create the folder {folder}"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
