"""The page as a whole: its tabs, and serving it."""

import atexit
import functools
import ipaddress
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import gradio as gr
import torch
from fastapi import HTTPException
from gradio import processing_utils, route_utils, routes

from styletransfer.api import StyleMix, StyleTransfer
from styletransfer.errors import InvalidInput, StyleTransferError
from styletransfer.images import to_pil
from styletransfer.memory import keep_freed_memory
from styletransfer.page.appearance import appearance
from styletransfer.page.controls import Updates, Values
from styletransfer.page.endpoints import Endpoints
from styletransfer.page.events import LONGEST_QUEUE, QUIET, bring_into_view
from styletransfer.page.learn import LearnTab
from styletransfer.page.many import ManyTab
from styletransfer.page.paint import PaintTab
from styletransfer.page.photo import browser_file
from styletransfer.page.sheet import SheetTab
from styletransfer.page.uploads import LARGEST_UPLOAD
from styletransfer.page.visitors import MOST_VISITORS, Visitors
from styletransfer.page.work import Halt, alone

COPIES_KEPT_SECONDS = 86_400  # how long uploads and copies of pictures are kept, even those of an open page
TIDIED_EVERY = 3600  # seconds
EXAMPLES = ("lion.jpg", "tower.jpg", "cheetah.jpg")

log = logging.getLogger(__name__)


def build_page(transfer: StyleTransfer, *, shared_styles: bool) -> gr.Blocks:
    """The page, not yet served; it loads the networks as soon as it is shown for the first time.

    Args:  shared_styles: whether learned styles are the user's own, kept for good and seen by all who open the
           page, or each visitor's alone until they leave.
    """
    visitors = Visitors(transfer, shared_styles=shared_styles)
    atexit.register(visitors.close)
    with gr.Blocks(
        title="styletransfer", analytics_enabled=False, delete_cache=(TIDIED_EVERY, COPIES_KEPT_SECONDS)
    ) as page:
        gr.Markdown(
            "# styletransfer\nTurn a photo into a painting, in any style or blend of styles.", elem_id="title"
        )
        with gr.Tabs() as tabs:
            with gr.Tab("Paint", id="paint"):
                paint_tab = PaintTab(visitors, _examples())
            with gr.Tab("Learn a style", id="learn"):
                learn_tab = LearnTab(paint_tab)
            with gr.Tab("Many photos", id="many"):
                ManyTab(paint_tab)
            with gr.Tab("All styles", id="sheet"):
                SheetTab(paint_tab, tabs)
        controls = paint_tab.controls

        def learn_this(picture: str | None, request: gr.Request) -> tuple[Any, Any]:
            return gr.update(value=browser_file(visitors.of(request), picture)), gr.update(selected="learn")

        taken = controls.learn_button.click(learn_this, controls.picture, [learn_tab.picture, tabs], **QUIET)
        bring_into_view(taken.success, learn_tab.picture)
        Endpoints(visitors)

        def open_page(values: Values, request: gr.Request) -> Updates:
            return learn_tab.listing(values, request) | paint_tab.results.earlier(request)

        loaded = page.load(
            open_page,
            {controls.key, controls.search, controls.chosen},
            [controls.key, controls.earlier, controls.gallery, learn_tab.own],
            **QUIET,
        )

        @functools.cache
        def warm() -> None:
            threading.Thread(target=_load_networks, args=(transfer,), daemon=True).start()

        # Not earlier: the processor is needed to show the page.
        loaded.then(lambda: warm(), None, None, queue=False, **QUIET)

        def leave(request: gr.Request) -> None:
            visitors.leave(request)
            # Gradio never takes it back that a session was closed, and forgets the states of who is back and
            # goes on an hour after each was set; how many sessions it keeps is bounded all the same.
            session = page.state_holder.session_data.get(request.session_hash or "")
            if session is not None:
                session.is_closed = False

        page.unload(leave)
    return page


def serve(
    transfer: StyleTransfer,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    auth: tuple[str, str] | None = None,
    share: bool = False,
    wait: bool = True,
) -> gr.Blocks:
    """Serve the page, by default to this machine alone.

    Beyond it every visitor has their own styles, and only for as long as they stay.

    Args:  host, port: to listen on; auth: name and password that are asked for; share: a public address by
           Gradio's relay; wait: until it is stopped.
    Raises:  InvalidInput where it cannot listen there.
    """
    keep_freed_memory()
    if wait and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, with cleaning up
    _keep_uploads_private()
    _fetch_nothing()
    _count_nothing()
    page = build_page(transfer, shared_styles=_is_local(host) and not share)
    # Without `api_open=False` Gradio also runs functions past the queue, with none of its limits.
    page.queue(max_size=LONGEST_QUEUE, api_open=False)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            auth=auth,
            share=share,
            **appearance(),
            max_file_size=f"{LARGEST_UPLOAD}mb",
            state_session_capacity=2 * MOST_VISITORS,  # each holds a copy of all that the page shows
            prevent_thread_lock=not wait,
            quiet=not wait,
            footer_links=["api"],
            run_history=False,  # it lends the owner's account at Hugging Face to whoever seems to be here
            ssr_mode=False,
            show_error=True,
        )
    except OSError as error:  # Gradio's own message is about its environment variables
        raise InvalidInput(
            f"cannot listen on {host}, port {port}: the port is in use, or the address is not this machine's; "
            "choose another --port or --host"
        ) from error
    return page


def _keep_uploads_private() -> None:
    """Give Gradio a folder for uploads, unless there is one: its own is one for all users of the machine.

    It belongs to the first of them, so that nobody else's page could start, and all can read in it.
    """
    if not os.environ.get("GRADIO_TEMP_DIR"):
        uploads = Path(tempfile.mkdtemp(prefix="styletransfer-uploads-")).resolve()
        os.environ["GRADIO_TEMP_DIR"] = str(uploads)
        atexit.register(shutil.rmtree, uploads, ignore_errors=True)
        _replace(route_utils, "delete_files_created_by_app", functools.partial(tidy, uploads))
    os.environ["GRADIO_TEMP_DIR"] = str(Path(os.environ["GRADIO_TEMP_DIR"]).absolute())  # as `_SHOW` compares
    routes.DEFAULT_TEMP_DIR = os.environ["GRADIO_TEMP_DIR"]  # which Gradio has read when it was imported


def _fetch_nothing() -> None:
    """Keep Gradio from fetching the addresses that visitors give it, of any size and past our limits."""

    async def refuse(url: str, cache_dir: str = "") -> NoReturn:
        raise gr.Error("addresses are not fetched here; upload the file itself", print_exception=False)

    async def forbid(url: str, request: object) -> NoReturn:
        raise HTTPException(403, "addresses are not fetched here")

    _replace(processing_utils, "async_ssrf_protected_get", refuse)
    _replace(processing_utils, "async_ssrf_protected_download", refuse)
    _replace(routes, "secure_url_stream_response", forbid)


def _count_nothing() -> None:
    """Keep Gradio from summing up how long all events took after each of them, which takes 11 to 17 ms."""
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(sys.maxsize))


def _replace(module: ModuleType, name: str, replacement: Callable[..., Any]) -> None:
    """Put a function in the place of one of Gradio's."""
    getattr(module, name)  # in another version of Gradio, a new name would leave the old one at work unnoticed
    setattr(module, name, replacement)


def tidy(folder: Path, page: gr.Blocks, age: float | None) -> None:
    """Remove what lies in Gradio's folder for longer than `age` seconds, except what the page keeps.

    In place of Gradio's own, which knows neither broken uploads nor folders, and ends for good where another
    file comes while it looks. Without an age it does nothing: the page ends, and the folder goes with it.
    """
    if age is None:
        return
    kept = {str(path) for block in page.blocks.values() for path in getattr(block, "keep_in_cache", ())}
    for parent, folders, files in os.walk(folder, topdown=False):  # what a folder holds before the folder
        for path in (Path(parent, name) for name in (*files, *folders)):
            with suppress(OSError):  # it may be open, be gone, or be a folder with something in it
                found = path.lstat()
                # A folder changed when it was emptied, and stays for now: a copy may be on its way there.
                since = max(found.st_ctime, found.st_mtime)
                if str(path) not in kept and time.time() - since > age:
                    path.rmdir() if path.name in folders else path.unlink()
    for names in page.temp_file_sets:  # which only Gradio's own reads, and would grow for ever
        names.clear()


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _examples() -> list[Path]:
    """Photographs that come inside the gradio package."""
    folder = Path(gr.__file__).parent / "media_assets" / "images"
    return [folder / name for name in EXAMPLES if (folder / name).exists()]


def _load_networks(transfer: StyleTransfer) -> None:
    """Measure the speed, and load the networks by painting once, while the visitor looks for a photo."""
    small = to_pil(torch.full((1, 3, 64, 64), 0.5))
    try:
        styles: list[StyleMix] = [small, *list(transfer.styles)[:1]]
        with alone(Halt(short=True)):
            transfer.estimate((64, 64))
        for style in styles:
            with alone(Halt(short=True)):  # each by itself, or who paints already would wait for all
                transfer.stylize(small, style)
    except StyleTransferError as error:
        log.warning("not everything could be loaded: %s", error)
