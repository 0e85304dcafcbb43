"""What follows from what visitors choose on the Paint tab: styles, weights, pictures and regions."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
from PIL import Image

from styletransfer import images
from styletransfer.errors import InvalidInput
from styletransfer.page.controls import FINEST, MOST_STYLES, Controls, Updates, Values
from styletransfer.page.events import telling
from styletransfer.page.gallery import style_in, styles_found, styles_on
from styletransfer.page.mix import mix_text, titles_of
from styletransfer.page.pad import corner_weights, pad_value
from styletransfer.page.region import BRUSH, region_of
from styletransfer.page.visitors import Visitor
from styletransfer.page.wish import INSIDE, readable_size


class Choices:
    """Handlers of the events at which visitors choose; they give updates of the controls."""

    def __init__(self, controls: Controls) -> None:
        self.controls = controls

    def search(self, values: Values, request: gr.Request) -> Any:
        """Update of the gallery with the styles that match."""
        it, visitor = self.controls, self.controls.visitor(request, values)
        return styles_found(visitor, values[it.search], values[it.chosen])

    def styles_on_photo(self, values: Values, request: gr.Request) -> None:
        """Make the gallery show the visitor's photo in every style, or its usual pictures."""
        it, visitor = self.controls, self.controls.visitor(request, values)
        wished, photo = values[it.on_photo], values[it.photo]
        with telling():
            visitor.styles_on_photo = styles_on(visitor, photo) if wished and photo is not None else {}

    def choose(self, values: Values, event: gr.SelectData, request: gr.Request) -> Updates:
        """Use the style that was clicked in the gallery, or no longer use it."""
        chosen, name = values[self.controls.chosen], style_in(event)
        if name in chosen:
            chosen = [each for each in chosen if each != name]
        elif len(chosen) == MOST_STYLES:
            raise gr.Error(
                f"At most {MOST_STYLES} styles can be blended. Click a chosen one to remove it first.",
                print_exception=False,
            )
        else:
            chosen = [*chosen, name]
        return self.rechosen(chosen, values, request)

    def rechosen(self, chosen: list[str], values: Values, request: gr.Request) -> Updates:
        """`choice`, in which the styles that were chosen before keep their weights and places.

        A new one is used inside the region, if there is one.
        """
        it, visitor = self.controls, self.controls.visitor(request, values)
        weights, places = it.kept(values)
        if values[it.region_mask] is not None:
            places = dict.fromkeys(chosen, INSIDE) | places
        return self.choice(visitor, chosen, values[it.search], weights, places, self._picture_weight(values))

    def choice(
        self,
        visitor: Visitor,
        chosen: list[str],
        search: str,
        weights: Mapping[str, float],
        places: Mapping[str, str],
        picture_weight: float | None,
    ) -> Updates:
        """Updates of the gallery and the rows for the chosen styles, as far as they still exist."""
        it = self.controls
        known = visitor.transfer.styles
        chosen = [name for name in chosen if name in known]
        rows = it.row_updates(visitor.transfer, chosen, weights, places, picture_weight)
        return {it.chosen: chosen, it.gallery: styles_found(visitor, search, chosen), **rows}

    def _picture_weight(self, values: Values) -> float | None:
        it = self.controls
        return values[it.picture_slider] if values[it.picture] else None

    def pad_moved(self, values: Values, event: gr.EventData, request: gr.Request) -> Updates:
        """Weights of the styles where the point on the pad is now."""
        it = self.controls
        chosen = values[it.chosen]
        weights = [round(100 * weight) for weight in corner_weights(len(chosen), event.x, event.y)]
        titles = titles_of(it.visitor(request, values).transfer, chosen)
        text = mix_text(titles, weights, self._picture_weight(values))
        return {it.mix: text, **dict(zip(it.sliders, weights, strict=False))}

    def weighted(self, values: Values, request: gr.Request) -> Updates:
        """The text of the mix and the point on the pad, as the sliders are now."""
        it, chosen = self.controls, values[self.controls.chosen]
        kept, _ = it.kept(values)
        weights = [kept.get(name, 100.0) for name in chosen]
        titles = titles_of(it.visitor(request, values).transfer, chosen)
        text = mix_text(titles, weights, self._picture_weight(values))
        return {it.mix: text, it.pad: pad_value(titles, weights)}

    def method_chosen(self, method: str) -> Updates:
        """What is needed for that method alone."""
        it, finest = self.controls, method == FINEST
        return {
            it.seconds: gr.update(visible=finest),
            it.paint_button: gr.update(visible=not finest),
            it.finest_button: gr.update(visible=finest),
        }

    def picture_given(self, values: Values, request: gr.Request) -> Updates:
        """Rows for the mix with the visitor's own picture, or without it."""
        it, visitor = self.controls, self.controls.visitor(request, values)
        kept = it.kept(values)
        rows = it.row_updates(visitor.transfer, values[it.chosen], *kept, self._picture_weight(values))
        # The browser may have newer values, of settings that are being restored; `weighted` comes after this.
        for row in (*it.sliders, *it.places):
            rows[row].pop("value", None)
        del rows[it.mix], rows[it.pad]
        return {it.learn_button: gr.update(interactive=values[it.picture] is not None), **rows}

    def without_region(self, photo: str | None, request: gr.Request) -> Updates:
        """Put the photo into the region editor, with no region painted."""
        it, visitor, shown = self.controls, self.controls.visitor(request), None
        if photo is not None:
            with telling():
                file = visitor.new_file("photo.jpg")
                images.save_preview(visitor.shown(photo), file)
            shown = str(file)
        return {it.region: gr.update(value=shown), it.region_mask: None, it.where: gr.update(visible=False)}

    def mask_given(self, values: Values, request: gr.Request) -> Updates:
        """Put a mask, or what a cut-out shows, into the region editor as if it had been painted there."""
        it, visitor = self.controls, self.controls.visitor(request, values)
        with telling():
            if values[it.photo] is None:
                raise InvalidInput(next_step(False))
            readable_size(values[it.mask])
            shown = visitor.shown(values[it.photo])
            mask = images.resize(images.read_mask(values[it.mask]), shown.size[::-1])
            region = images.to_pil(mask.expand(-1, 3, -1, -1)).getchannel("R")
            layer = Image.new("RGB", shown.size, BRUSH)
            layer.putalpha(region)
            folder = visitor.new_folder()
            images.save_preview(shown, folder / "photo.jpg")
            images.save_picture(layer, folder / "region.png")
        photo, layers = str(folder / "photo.jpg"), [str(folder / "region.png")]
        edited = gr.update(value={"background": photo, "layers": layers, "composite": photo})
        return {it.region: edited, **self._bounded(region if region.getbbox() else None, values)}

    def region_painted(self, values: Values) -> Updates:
        """Keep what was painted in the region editor."""
        return self._bounded(region_of(values[self.controls.region]), values)

    def _bounded(self, region: Image.Image | None, values: Values) -> Updates:
        """Keep the region; the first time, all styles are set to be used inside it."""
        it = self.controls
        found: Updates = {it.region_mask: region, it.where: gr.update(visible=region is not None)}
        if region is not None and values[it.region_mask] is None:
            found |= dict.fromkeys([*it.places, it.picture_place], INSIDE)
        return found


def next_step(has_photo: bool) -> str:
    """What is still to be chosen."""
    return "Choose a style in the gallery." if has_photo else "Choose a photo first."
