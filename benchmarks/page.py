"""The page as a visitor waits for it: from `python app.py` to the first paint, from a click to the painting.

    python -m benchmarks.page [--tries 3]

In Chromium on the same machine, started before. The first paint is the first contentful one; "drawn" is when
the photo input can be seen, "gallery" when the first style can. The preview is what follows a moved slider,
the painting what follows a click on a style: both until the browser shows the new picture.
"""

import argparse
import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MOVES = ("0.85", "0.7", "0.55", "0.8")  # of the slider of strength
CLICKS = (3, 4, 7, 9)  # styles of the gallery, one after the other
FIRST_PAINT = """() => {
  const paints = performance.getEntriesByName('first-contentful-paint');
  return paints.length ? performance.timeOrigin + paints[0].startTime : null;
}"""
WATCH = """() => {
  const show = () => { window.shown = Date.now(); };
  new MutationObserver(changes => {
    for (const change of changes)
      if (change.target.tagName === 'IMG') change.target.decode().then(show, () => {});
  }).observe(document.querySelector('#result'), {subtree: true, attributes: true, attributeFilter: ['src']});
}"""
MOVE = """value => {
  const slider = document.querySelector('#strength input[type=range]');
  slider.value = value;
  window.shown = 0;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  return Date.now();
}"""


@contextmanager
def app(folder: Path) -> Iterator[tuple[str, float]]:
    """Address of the page, started as a user does, and when that was."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "XDG_DATA_HOME": str(folder)}
    began = time.time()
    server = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        while not _listens(port):
            if server.poll() is not None:
                raise SystemExit("app.py has ended instead of serving the page")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}", began
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def first_seconds(page: Page, began: float) -> dict[str, float]:
    found = {}
    page.wait_for_selector("#photo")
    found["drawn"] = time.time() - began
    page.wait_for_selector("#styles button.thumbnail-item img")
    found["gallery"] = time.time() - began
    found["first paint"] = page.evaluate(FIRST_PAINT) / 1000 - began
    return found


def shown_after(page: Page, began_ms: float) -> float:
    page.wait_for_function("began => window.shown > began", arg=began_ms, polling=20)
    return (page.evaluate("window.shown") - began_ms) / 1000


def paintings(page: Page, photo: Path) -> Iterator[tuple[str, float]]:
    page.locator("#photo input[type=file]").first.set_input_files(photo)
    page.wait_for_timeout(2000)
    styles = page.locator("#styles button.thumbnail-item")
    watched = False
    for index in CLICKS:
        began = page.evaluate("window.shown = 0, Date.now()")
        styles.nth(index).click()
        if watched:
            yield "click to painting", shown_after(page, began)
        page.wait_for_selector("#download:not([disabled])", timeout=60_000)
        page.wait_for_timeout(1500)
        if not watched:
            page.evaluate(WATCH)  # there was no picture to watch before the first
        watched = True
        if index != CLICKS[-1]:
            styles.nth(index).click()  # no longer chosen
            page.wait_for_timeout(1500)
    for value in MOVES:
        yield "slider to preview", shown_after(page, page.evaluate(MOVE, value))
        page.wait_for_timeout(2000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tries", type=int, default=3)
    options = parser.parse_args()
    spec = importlib.util.find_spec("gradio")
    if spec is None or spec.origin is None:
        raise SystemExit("gradio is not installed")
    example = Path(spec.origin).parent / "media_assets" / "images" / "lion.jpg"
    times: dict[str, list[float]] = {}
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        with Image.open(example) as image:
            image.convert("RGB").resize((1024, 1024)).save(photo)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(options.tries):
            with app(Path(folder)) as (address, began):
                times.setdefault("listening", []).append(time.time() - began)
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(address, wait_until="commit")
                for name, value in first_seconds(page, began).items():
                    times.setdefault(name, []).append(value)
                page.wait_for_timeout(8000)  # the networks load
                for name, value in paintings(page, photo):
                    times.setdefault(name, []).append(value)
                page.close()
        browser.close()
    for name, seconds in times.items():
        print(f"{name}: {statistics.median(seconds):.2f} s (from {min(seconds):.2f} to {max(seconds):.2f})")


if __name__ == "__main__":
    main()
