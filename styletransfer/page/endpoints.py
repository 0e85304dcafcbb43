"""The page's functions for programs: named endpoints for `gradio_client`, documented in docs/page.md."""

from pathlib import Path
from typing import Any

import gradio as gr

from styletransfer import images
from styletransfer.errors import InvalidInput
from styletransfer.page.events import LONG, telling
from styletransfer.page.learn import SECONDS, TAUGHT_SIZE
from styletransfer.page.photo import photo_input
from styletransfer.page.visitors import Visitors
from styletransfer.page.wish import Wish, readable_size
from styletransfer.page.work import alone
from styletransfer.settings import PRESERVE_COLOR, STRENGTH, STROKE_SIZE, STYLE_SIDE, is_finite
from styletransfer.stylebank import unknown

MOST_SECONDS = 600
MOST_PROGRAMS = 8  # painting or waiting for their turn at a time
LEAST_SHARE = 1e-6  # of the picture beside styles whose weights sum to 1 but for rounding


class Endpoints:
    """`/stylize`, `/styles` and `/train_style`: invisible on the page."""

    def __init__(self, visitors: Visitors) -> None:
        self.visitors = visitors
        with gr.Group(visible=False):
            photo, style_picture = photo_input("photo", visitors), photo_input("style_picture", visitors)
            styles = gr.JSON(label="styles")
            strength = gr.Number(STRENGTH.default, label="strength")
            preserve_color = gr.Number(PRESERVE_COLOR.default, label="preserve_color")
            stroke_size = gr.Number(STROKE_SIZE.default, label="stroke_size")
            size = gr.Number(0, label="size", precision=0)
            method = gr.Textbox("cin", label="method")
            seconds = gr.Number(60, label="seconds")
            color_mode = gr.Textbox("luminance", label="color_mode")
            file, known = gr.File(label="painting"), gr.JSON(label="styles")
            painting, name = photo_input("painting", visitors), gr.Textbox(label="name")
            learn_seconds, slug = gr.Number(SECONDS, label="seconds"), gr.Textbox(label="style")
            style_side = gr.Number(STYLE_SIDE, label="style_side", precision=0)
            button = gr.Button()
            numbers = [strength, preserve_color, stroke_size, size]
            button.click(
                self.stylize,
                [photo, styles, style_picture, *numbers, method, seconds, color_mode],
                file,
                api_name="stylize",
                concurrency_id="programs",  # only `alone` makes them wait, long ones longer than short ones
                concurrency_limit=MOST_PROGRAMS,
            )
            button.click(self.styles, None, known, api_name="styles")
            taught = [painting, name, learn_seconds, style_side]
            button.click(self.train_style, taught, slug, api_name="train_style", **LONG)

    def stylize(
        self,
        photo: str,
        styles: dict[str, float] | None,
        style_picture: str | None,
        strength: float,
        preserve_color: float,
        stroke_size: float,
        size: int,
        method: str,
        seconds: float,
        color_mode: str,
        request: gr.Request,
    ) -> str:
        """Paint a photo; returns the path of a PNG.

        `styles` maps style names to weights; `style_picture` is a picture whose style is meant, with what is
        missing of the weights to 1; `size` 0 keeps the photo's own; `method` is "cin", "adain" or
        "gatys", which takes `seconds`.
        """
        visitor = self.visitors.of(request)
        with telling():
            if not isinstance(styles, dict | None):
                raise InvalidInput(f"styles is {styles!r}; give names and weights, such as {{'udnie': 1}}")
            weights = (styles or {}).items()
            mix = [(style, _number(f"the weight of {style!r}", weight)) for style, weight in weights]
            known = visitor.transfer.styles
            for name, _ in mix:  # otherwise it could be the path of any picture on this machine
                if name not in known:
                    raise unknown(name, list(known))
            if style_picture:
                share = 1 - sum(weight for _, weight in mix)
                if share < LEAST_SHARE:
                    raise InvalidInput("the weights of the styles leave nothing for the picture")
                mix.append((style_picture, share))
            if not photo:
                raise InvalidInput("no photo is given")
            wish = Wish(
                dict(mix),
                strength=strength,
                preserve_color=preserve_color,
                color_mode=color_mode,
                stroke_size=stroke_size,
                size=int(_number("size", size)) or None,
                method=method,
                seconds=_within_reason(seconds),
            )
            wish.painted_size(photo)
            with alone(visitor.long if wish.optimises else visitor.short) as on_step:
                painted = wish.paint(visitor.transfer, photo, on_step)
            path = visitor.new_file(f"{Path(photo).stem}-painted.png")
            images.save_picture(painted, path)
        return str(path)

    def styles(self, request: gr.Request) -> dict[str, dict[str, str]]:
        """Style name -> title, artist and year."""
        infos = self.visitors.of(request).transfer.styles
        return {
            name: {"title": info.title, "artist": info.artist, "year": info.year}
            for name, info in infos.items()
        }

    def train_style(
        self, painting: str, name: str, seconds: float, style_side: int, request: gr.Request
    ) -> str:
        """Learn a style from a picture, its short side seen at `style_side` pixels; returns its name."""
        with telling():
            if not painting:
                raise InvalidInput("no picture is given")
            if not isinstance(name, str):
                raise InvalidInput(f"the name of the style is {name!r}; give text")
            seconds, style_side = _within_reason(seconds), int(_number("style_side", style_side))
            TAUGHT_SIZE.check("style_side", style_side)
            readable_size(painting)
            visitor = self.visitors.of(request)
            with alone(visitor.long) as on_step:
                style = visitor.transfer.train_style(
                    painting, name, seconds=seconds, style_side=style_side, on_step=on_step
                )
        return style.info.slug


def _number(name: str, value: Any) -> float:
    if not is_finite(value):
        raise InvalidInput(f"{name} is {value!r}; it must be a number")
    return float(value)


def _within_reason(seconds: Any) -> float:
    found = _number("seconds", seconds)
    if not 0 < found <= MOST_SECONDS:
        raise InvalidInput(f"seconds is {found:g}; it must be above 0 and at most {MOST_SECONDS}")
    return found
