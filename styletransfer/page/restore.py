"""The settings embedded in a painting, as values for the controls. Anybody may have written them."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from styletransfer.page.controls import METHODS, MOST_STYLES, SIZES
from styletransfer.page.slider import Slider
from styletransfer.settings import Optimization, is_number


def weights_in(found: Mapping[str, Any]) -> dict[str, float]:
    """Styles and weights in the parameters of a picture; {} if there are none."""
    styles = found.get("styles")
    if not isinstance(styles, dict) or not all(map(is_finite, styles.values())):
        return {}
    return styles


def percent(weight: float) -> int:
    """A weight as its slider shows it."""
    return round(100 * min(1.0, max(0.0, weight)))


def method_in(found: Mapping[str, Any]) -> str:
    """The page's name of the method."""
    return next((name for name, used in METHODS.items() if used == found.get("method")), "Fast")


def size_in(found: Mapping[str, Any]) -> int:
    """The nearest size that the page offers; 0 is the photo's own."""
    size = found.get("size")
    offered = [value for _, value in SIZES if value]
    return min(offered, key=lambda each: abs(each - size)) if isinstance(size, int) and size else 0


def seconds_in(found: Mapping[str, Any]) -> Any:
    """The time for Finest; None if unknown."""
    optimization = found.get("optimization")
    return (isinstance(optimization, dict) and optimization.get("seconds")) or None


def as_shown(slider: Slider, value: Any) -> float:
    """The value within the slider's range; its default if it is not a number."""
    return slider.preprocess(value if is_finite(value) else None)


def not_restored(found: Mapping[str, Any], styles: int) -> list[str]:
    """What the page cannot restore, as texts; `styles`: how many known ones there are."""
    size, shown = found.get("size"), size_in(found)
    lost = {
        f"size {size} px (now {shown} px)": isinstance(size, int) and size != shown,
        f"styles beyond the first {MOST_STYLES}": styles > MOST_STYLES,
        "regions": bool(found.get("masks")),
        "colour mode 'statistics'": found.get("color_mode", "luminance") != "luminance",
        "advanced settings of the optimisation": _differs(found.get("optimization")),
    }
    return [what for what, is_lost in lost.items() if is_lost]


def _differs(optimization: object) -> bool:
    """Whether any setting but the time differs from what the page uses."""
    given = optimization if isinstance(optimization, dict) else {}
    usual = asdict(Optimization())
    return any(given.get(name, value) != value for name, value in usual.items() if name != "seconds")


def is_finite(value: Any) -> bool:
    """Whether it is a finite number."""
    return is_number(value) and math.isfinite(value)
