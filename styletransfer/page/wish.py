"""What a visitor wants painted: plain values, made from the controls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from PIL import Image, ImageChops

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.core import OnStep
from styletransfer.errors import InvalidInput, UnreadableImage
from styletransfer.images import ImageSource, Picture
from styletransfer.settings import MAX_PIL_PIXELS, PRESERVE_COLOR, SIZE, STRENGTH, STROKE_SIZE, Optimization

EVERYWHERE, INSIDE, OUTSIDE = "Everywhere", "Inside the area", "Outside the area"
PLACES = (EVERYWHERE, INSIDE, OUTSIDE)


@dataclass(frozen=True)
class Wish:
    """Everything about a painting except the photo.

    `styles` style name, or path of a picture, -> weight; `places` the same -> one of PLACES; `region` a grey
    picture, white where the visitor painted; `elsewhere` how strong the painting is outside of it, 0 to 1;
    `size` the long side in pixels, None for the photo's own, or a text that is none, as the visitor typed it;
    `method` and `color_mode` as in the API; `seconds` for the method "gatys".
    """

    styles: Mapping[str, float]
    places: Mapping[str, str] = field(default_factory=dict)
    region: Image.Image | None = None
    elsewhere: float = 1.0
    strength: float = STRENGTH.default
    preserve_color: float = PRESERVE_COLOR.default
    color_mode: str = "luminance"
    stroke_size: float = STROKE_SIZE.default
    size: int | str | None = None
    method: str = "cin"
    seconds: float = 60.0

    @property
    def optimises(self) -> bool:
        """Whether it takes its `seconds`."""
        return self.method == "gatys"

    def painted_size(self, photo: str | Path) -> tuple[int, int]:
        """Height and width of the painting of a photo.

        Raises InvalidInput or UnreadableImage if either, or a picture among the styles, is too large here.
        """
        self.check_pictures()
        side, size = self.side(), readable_size(photo)
        height, width = images.with_long_side(size, side) if side else size
        if height * width > MAX_PIL_PIXELS:
            raise InvalidInput(f"a painting of {width}x{height} pixels is too large; choose a smaller size")
        return height, width

    def side(self) -> int | None:
        """The long side in pixels, None for the photo's own. Raises InvalidInput."""
        if isinstance(self.size, str):
            told = f"give the long side in pixels, {SIZE.least} to {SIZE.most}"
            raise InvalidInput(f"the size is {self.size!r}; {told}")
        if self.size is not None:
            SIZE.check("the size", self.size)
        return self.size

    def check_pictures(self) -> None:
        """Raise UnreadableImage if a style is a picture that is too large for the page, or none."""
        for style in self.styles:
            if Path(style).is_absolute():
                readable_size(style)

    def paint(
        self, transfer: StyleTransfer, photo: ImageSource | Picture, on_step: OnStep | None = None
    ) -> Image.Image:
        """The painting of a photo, which may have been read before, and brought to the wanted size.

        Raises UnreadableImage as `check_pictures` does, and InvalidInput as `side` does.
        """
        self.check_pictures()
        return transfer.stylize(
            cast(ImageSource, photo),  # the API promises others nothing of what was read before
            list(self.styles.items()),
            method=self.method,
            strength=self.strength,
            size=self.side(),
            stroke_size=self.stroke_size,
            preserve_color=self.preserve_color,
            color_mode=self.color_mode,
            masks=self.masks(),
            optimization=Optimization(seconds=self.seconds),  # which other methods than Finest ignore
            on_step=on_step,
        )

    def masks(self) -> dict[str, ImageSource]:
        """Style name -> where it belongs, white or black, and grey where it is weaker, or one of several."""
        if self.region is None:
            return {}
        inside = self.region.convert("L")
        used = {self.places.get(style, EVERYWHERE) for style, weight in self.styles.items() if weight > 0}
        share = self.elsewhere / max(1, len(used - {INSIDE}))  # the greys of different masks add up
        around = ImageChops.invert(inside).point([round(share * value) for value in range(256)])
        shades = {INSIDE: inside, OUTSIDE: around, EVERYWHERE: ImageChops.add(inside, around)}
        found: dict[str, ImageSource] = {}
        for style in self.styles:
            name = Path(style).name  # a picture goes by the name of its file
            found[name] = shades[self.places.get(style, EVERYWHERE)].convert("RGB")
        return found


def readable_size(picture: str | Path) -> tuple[int, int]:
    """Height and width of a picture. Raises UnreadableImage if it is too large to be read on the page.

    Reading it may take several bytes a pixel, however small the file is.
    """
    height, width = images.read_size(picture)
    if height * width > MAX_PIL_PIXELS:
        raise UnreadableImage(
            f"{picture} has {width}x{height} pixels, more than the {MAX_PIL_PIXELS:,} that the page takes; "
            "reduce it first"
        )
    return height, width
