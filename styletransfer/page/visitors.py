"""The visitors of the page: their files, and stopping their jobs."""

import shutil
import tempfile
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr
from PIL import Image

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.files import attempt
from styletransfer.page.belongings import Belongings, Earlier, Painted, made
from styletransfer.page.wish import Wish, readable_size
from styletransfer.page.work import Halt

KEPT_FOLDERS = 50  # Gradio keeps copies of what the browser shows
SHOWN_SIDE = 1024  # pixels; the full size is sent for download only
KEPT_SIDES = 3  # in how many sizes a photo is kept in memory, up to 17 MB each
MOST_VISITORS = 200  # at a time; programs do not say when they leave
AWAKE = 20  # visitors, those last seen, whose photo and painting stay in memory
KEPT_SECONDS = 3600  # after they left: a phone that is locked or offline also cuts the connection


@dataclass
class Visitor:
    """`folder` is removed some time after they left; what takes `long` and what is `short` may both be at work.

    `previews` is a folder for small pictures of shipped styles, which all visitors share.
    `styles_on_photo` are small pictures of their photo by style, where they wish to see the styles on it.
    `paint_halts` has those of `long` and `short` by which the Paint tab paints, the last one last.
    `painted` is the painting that the page shows, if it shows one in full; `file_format` what downloads are
    wanted in, once that is known, which may change while one waits or is painted; `on_page` says that it is no
    program; `gone` that nothing came from them since they left, and `leaving` runs from then on.
    """

    own: Belongings
    folder: Path
    previews: Path
    styles_on_photo: dict[str, Path] = field(default_factory=dict)
    long: Halt = field(default_factory=Halt)
    short: Halt = field(default_factory=lambda: Halt(short=True))
    paint_halts: list[Halt] = field(default_factory=list)
    painted: Painted | Earlier | None = None
    file_format: str = ""
    on_page: bool = False
    gone: bool = False
    leaving: threading.Timer | None = None
    _scaled: dict[tuple[str, int], images.Picture] = field(default_factory=dict)
    _folders: deque[Path] = field(default_factory=deque)

    @property
    def transfer(self) -> StyleTransfer:
        """Paints, with the visitor's own styles."""
        return self.own.transfer

    def painting_of(self, photo: str, wish: Wish) -> Painted | None:
        """The painting that the page shows, if it was made from that photo and wish."""
        last = self.painted
        return last if isinstance(last, Painted) and (last.photo, last.wish) == (photo, wish) else None

    @property
    def working(self) -> bool:
        """Whether anything is computed for them, or waits to be."""
        return self.long.working + self.short.working > 0

    @property
    def hold(self) -> int:
        """How bad it would be to forget them to make room: least for those who left, then for programs."""
        if self.working:
            return 3
        if self.gone:
            return 0
        return 2 if self.on_page else 1

    def emptied(self, name: str) -> Path:
        """The folder of that name, emptied: for results that must outlast the pictures in `new_folder`.

        Raises UnwritableOutput.
        """
        folder = made(self.folder) / name
        shutil.rmtree(folder, ignore_errors=True)
        return made(folder)  # on Windows, what is open there stays

    def new_folder(self) -> Path:
        """A folder for the next picture to show or offer; the oldest are removed. Raises UnwritableOutput."""
        with attempt("make a folder for the next picture"):
            folder = Path(tempfile.mkdtemp(dir=made(self.folder)))
        self._folders.append(folder)  # another thread may add one as well
        while len(self._folders) > KEPT_FOLDERS:
            shutil.rmtree(self._folders.popleft(), ignore_errors=True)
        return folder

    def new_file(self, name: str) -> Path:
        """A path of that name in a new folder, so that names never clash."""
        return self.new_folder() / name

    def stay(self) -> None:
        """Cancel leaving."""
        if self.leaving is not None:
            self.leaving.cancel()
            self.leaving = None

    def without_style(self, name: str) -> None:
        """Show nothing more of a removed style, as another one may be learned under its name."""
        self.styles_on_photo.pop(name, None)
        if isinstance(self.painted, Painted) and name in self.painted.wish.styles:
            self.painted.wish = Wish({})  # what is painted has styles: it can be saved, and is never the same

    def rest(self) -> None:
        """Keep photo and painting on disk alone, as a large painting takes half a gigabyte."""
        self._scaled = {}
        if isinstance(self.painted, Painted) and not self.paint_halts:
            self.painted.rest()

    def drop(self) -> None:
        """Drop all jobs; later ones are done."""
        self.long.dropped = self.short.dropped = True
        self.long, self.short = Halt(), Halt(short=True)

    def forget(self) -> None:
        """Drop all jobs, and remove all files."""
        self.stay()
        self.long.dropped = self.short.dropped = True
        shutil.rmtree(self.folder, ignore_errors=True)

    def shown(self, photo: str) -> Image.Image:
        """A photo to look at: on white, its long side at SHOWN_SIDE pixels. Raises UnreadableImage."""
        picture = self.scaled(photo, SHOWN_SIDE)
        return images.on_white(images.to_pil(picture.rgb, picture.alpha))

    def scaled(self, photo: str, side: int) -> images.Picture:
        """A photo with its long side at `side` pixels, SHOWN_SIDE or less; the last few are kept of one photo.

        Uploads never change: Gradio keeps them by their content. Raises UnreadableImage.
        """
        key, known = (photo, side), self._scaled  # which another thread may replace meanwhile
        found = known.get(key)
        if found is None:
            readable_size(photo)
            picture = images.read_picture(photo)
            found = picture.resized(images.with_long_side(picture.size, side))
        others = [(other, each) for other, each in known.items() if other[0] == photo and other != key]
        self._scaled = dict([*others[1 - KEPT_SIDES :], (key, found)])  # the one used last is last
        return found


class Visitors:
    """Visitors by their session.

    Args:  transfer: owns the networks; shared_styles: whether all of them see and keep the styles of the user
           who runs the page, as it should be on one's own machine, or each has their own until they leave.
    """

    def __init__(self, transfer: StyleTransfer, *, shared_styles: bool) -> None:
        self._transfer, self.shared_styles = transfer, shared_styles
        self._previews = Path(tempfile.mkdtemp(prefix="styletransfer-"))
        self._known: dict[str, Visitor] = {}
        self._lock = threading.Lock()

    def of(self, request: gr.Request, key: str | None = None) -> Visitor:
        """The visitor whose request it is, with the belongings that the `key` in their browser names, if any.

        Gradio takes a visitor for somebody new after a reload, and after a connection that was cut for long.
        """
        session = request.session_hash or ""
        with self._lock:
            if session not in self._known:
                self._known[session] = self._new_visitor()
            self._known[session] = self._known.pop(session)  # ordered by when they were last seen
            visitor = self._known[session]
            known = next((each for each in self._known.values() if each.own.key == key), visitor)
            if known.own is not visitor.own:
                fresh, visitor.own = visitor.own, known.own
                self._tidy(fresh)
            visitor.on_page |= key is not None  # which programs do not send
            visitor.gone = False
            if visitor.leaving is not None:  # Gradio reports only once that a page was closed
                self._leave_later(session, visitor)
            others = [each for each in self._known if each != session]
            others.sort(key=lambda each: self._known[each].hold)  # stable: of equals, the one seen longest ago
            for each in others[: max(0, len(self._known) - MOST_VISITORS)]:
                self._forget(each)
            for idle in list(self._known.values())[:-AWAKE]:
                if not idle.working:
                    idle.rest()
        return visitor

    def _new_visitor(self) -> Visitor:
        folder, kept = (Path(tempfile.mkdtemp(prefix="styletransfer-")) for _ in range(2))
        transfer = self._transfer
        if not self.shared_styles:
            (kept / "styles").mkdir()
            transfer = transfer.with_styles(kept / "styles")
        return Visitor(Belongings(transfer, kept), folder, self._previews)

    def stop(self, request: gr.Request) -> None:
        """Stop the visitor's long job."""
        self.of(request).long.stopped = True

    def stop_painting(self, request: gr.Request) -> None:
        """Stop what the visitor's Paint tab is painting."""
        for halt in self.of(request).paint_halts[-1:]:
            halt.stopped = True

    def leave(self, request: gr.Request) -> None:
        """Forget the visitor and their files after a while; if they are back by then, a while after that.

        What a program wanted is dropped at once; for a page Gradio sees to that.
        """
        key = request.session_hash or ""
        with self._lock:
            visitor = self._known.get(key)
            if visitor is not None:
                if not visitor.on_page:
                    visitor.drop()
                visitor.rest()
                visitor.gone = True
                self._leave_later(key, visitor)

    def style_removed(self, transfer: StyleTransfer, name: str) -> None:
        """To be called when one of the visitors who paint with `transfer` has removed a style."""
        with self._lock:
            for visitor in self._known.values():
                if visitor.transfer is transfer:
                    visitor.without_style(name)

    def _leave_later(self, key: str, visitor: Visitor) -> None:
        visitor.stay()
        visitor.leaving = threading.Timer(KEPT_SECONDS, self._left, (key, visitor))
        visitor.leaving.daemon = True
        visitor.leaving.start()

    def _left(self, key: str, visitor: Visitor) -> None:
        with self._lock:
            if visitor.leaving is not threading.current_thread():
                return  # the visitor came back, or was forgotten, meanwhile
            if visitor.working:  # for someone who watches it: what nobody waits for is dropped
                self._leave_later(key, visitor)
            else:
                self._forget(key)

    def _forget(self, key: str) -> None:
        """With the lock held."""
        visitor = self._known.pop(key)
        visitor.forget()
        self._tidy(visitor.own)

    def _tidy(self, own: Belongings) -> None:
        """Remove what belongs to nobody any more."""
        if all(each.own is not own for each in self._known.values()):
            shutil.rmtree(own.folder, ignore_errors=True)

    def close(self) -> None:
        """Forget all of them."""
        with self._lock:
            for key in list(self._known):
                self._forget(key)
        shutil.rmtree(self._previews, ignore_errors=True)
