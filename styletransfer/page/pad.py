"""The blend pad: a square with a style in each corner and a point to drag between them."""

import itertools
from collections.abc import Sequence
from html import escape

import gradio as gr

CORNERS = 4
_turns = itertools.count()

_TEMPLATE = """
<div class="pad" tabindex="0" role="application"
     data-x="${value[4]}" data-y="${value[5]}" data-turn="${value[6]}"
     aria-label="Blend pad: drag the point, or use the arrow keys, to mix the styles in the corners">
  <span class="corner" style="left:0;top:0">${value[0]}</span>
  <span class="corner" style="right:0;top:0">${value[1]}</span>
  <span class="corner" style="left:0;bottom:0">${value[2]}</span>
  <span class="corner" style="right:0;bottom:0">${value[3]}</span>
  <span class="point"></span>
</div>
"""
_STYLE = """
.pad { position: relative; width: 100%; max-width: 22rem; aspect-ratio: 1; margin: auto; touch-action: none;
  border: 1px solid var(--border-color-primary); border-radius: var(--radius-lg);
  background: var(--background-fill-secondary);
  cursor: crosshair; }
.corner { position: absolute; max-width: 45%; padding: .5rem .6rem; font-size: .8rem; user-select: none;
  color: var(--body-text-color-subdued); pointer-events: none; }
.point { position: absolute; left: 50%; top: 50%; width: 1.4rem; height: 1.4rem; margin: -.7rem;
  border-radius: 50%;
  background: var(--primary-500); border: 3px solid white; box-shadow: 0 1px 4px #0008; pointer-events: none; }
"""
# Listens on the element itself, which stays when its content is drawn anew.
_SCRIPT = """
let x = 0.5, y = 0.5, told = 0, dragging = false;
const place = () => {
  const point = element.querySelector('.point');
  if (!point) return;
  point.style.left = 100 * x + '%';
  point.style.top = 100 * y + '%';
};
const drawn = () => {
  const pad = element.querySelector('.pad');
  if (!pad || dragging) return place();
  x = Number(pad.dataset.x); y = Number(pad.dataset.y); place();
};
const watched = {childList: true, subtree: true, attributeFilter: ['data-turn']};
new MutationObserver(drawn).observe(element, watched);
drawn();
const show = (last) => {
  place();
  if (!last && Date.now() - told < 150) return;
  told = Date.now();
  trigger(last ? 'release' : 'input', {x, y});
};
const clamp = (value) => Math.min(1, Math.max(0, value));
const move = (event, last) => {
  const box = element.querySelector('.pad').getBoundingClientRect();
  x = clamp((event.clientX - box.left) / box.width);
  y = clamp((event.clientY - box.top) / box.height);
  show(last);
};
element.addEventListener('pointerdown', (event) => {
  if (!event.target.closest('.pad')) return;
  dragging = true; element.setPointerCapture(event.pointerId); move(event, false);
});
element.addEventListener('pointermove', (event) => { if (dragging) move(event, false); });
element.addEventListener('pointerup', (event) => { if (dragging) { dragging = false; move(event, true); } });
element.addEventListener('pointercancel', () => { if (dragging) { dragging = false; show(true); } });
element.addEventListener('keydown', (event) => {
  const step = {ArrowLeft: [-.1, 0], ArrowRight: [.1, 0], ArrowUp: [0, -.1], ArrowDown: [0, .1]}[event.key];
  if (!step) return;
  event.preventDefault();
  x = clamp(x + step[0]); y = clamp(y + step[1]); show(true);
});
"""


def blend_pad() -> gr.HTML:
    """The component; its events carry x and y in [0, 1], from the left and from the top.

    They are `input` while the point is dragged, and `release` at the end, or after a key.
    """
    return gr.HTML(
        value=pad_value([], []),
        html_template=_TEMPLATE,
        css_template=_STYLE,
        js_on_load=_SCRIPT,
        elem_id="blend-pad",
        label="Blend pad",
    )


def pad_value(titles: Sequence[str], weights: Sequence[float]) -> list[str]:
    """The texts of the corners, from the top left to the bottom right; the point's place; a number."""
    names = [escape(title) for title in titles[:CORNERS]]
    place = (f"{at:.3f}" for at in pad_place(weights))
    # The number makes every value a new one: otherwise a point that was dragged away would not be moved back.
    return [*names, *[""] * (CORNERS - len(names)), *place, str(next(_turns))]


def pad_place(weights: Sequence[float]) -> tuple[float, float]:
    """Where the point stands for these weights; with four styles not every mix has a place, only a near one."""
    total = sum(weights)
    if len(weights) < 2 or total <= 0:
        return 0.5, 0.5
    shares = [weight / total for weight in weights]
    if len(shares) == 2:
        return shares[1], 0.5
    if len(shares) == 3:
        return shares[1] / (shares[0] + shares[1] or 1), shares[2]
    return shares[1] + shares[3], shares[2] + shares[3]


def corner_weights(count: int, x: float, y: float) -> list[float]:
    """Weights of as many styles, summing to 1, where the point is at x from the left and y from the top.

    Bilinear with four styles; with three the third has the whole bottom, with two only x counts.
    """
    if count <= 1:
        return [1.0] * count
    if count == 2:
        return [1 - x, x]
    top = [(1 - x) * (1 - y), x * (1 - y)]
    return [*top, y] if count == 3 else [*top, (1 - x) * y, x * y]
