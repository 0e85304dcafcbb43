"""How the page looks: theme, CSS, script and progress bar. Fonts are the system's: nothing is fetched."""

from typing import Any

import gradio as gr

CSS = """
.gradio-container { max-width: 1280px !important; width: 100% !important; margin: auto !important; }
#sheet .grid-wrap { max-height: none; height: auto; }
#title h1 { margin-bottom: 0; }
#styles .grid-container, #sheet .grid-container {
  grid-template-columns: repeat(auto-fill, minmax(min(6.5rem, 30%), 1fr)) !important; }
#sheet .grid-container { grid-template-columns: repeat(auto-fill, minmax(min(12rem, 45%), 1fr)) !important; }
#styles .thumbnail-lg, #sheet .thumbnail-lg { aspect-ratio: 1; }
#styles .caption-label, #sheet .caption-label { left: 0; right: 0; bottom: 0; max-width: 100%; font-size: .7rem;
  line-height: 1.2; padding: .2rem .3rem 0; border: 0; max-height: calc(2.4em + .2rem); overflow: hidden;
  border-radius: 0; white-space: normal; text-align: left;
  display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; }
#styles .thumbnail-item .caption-label, #sheet .thumbnail-item .caption-label { opacity: 1; }
#styles .thumbnail-item[aria-pressed=true] { outline: 3px solid var(--primary-600); outline-offset: -1px; }
/* Gradio frames the place that was clicked last, whatever has come to stand there. */
#styles .thumbnail-item.selected, #sheet .thumbnail-item.selected, #earlier .thumbnail-item.selected {
  --ring-color: transparent; border-color: var(--border-color-primary); }
#earlier, #earlier .grid-wrap { height: auto !important; min-height: 0; }
#earlier .grid-container { grid-template-columns: none !important; grid-auto-flow: column;
  grid-auto-columns: 5rem; overflow-x: auto; padding-top: 1.6rem; }
#earlier .caption-label { display: none; }
#mix { margin: .25rem 0; }
@media (max-width: 767px) {  /* on a phone the styles are a strip, so that the painting is near them */
  #styles, #styles .grid-wrap { height: auto !important; min-height: 0; }
  #styles .grid-container { grid-template-columns: none !important; grid-auto-flow: column;
    grid-auto-columns: 6.5rem; overflow-x: auto; }
}
.progress { height: .5rem; border-radius: .25rem; background: var(--border-color-primary); overflow: hidden; }
.progress > div { height: 100%; background: var(--primary-500); }
"""


# Gradio calls the pictures of a gallery by their number, and says nothing of a text that changes.
SCRIPT = """
() => {
  const alternatives = {'#photo img': ['The photo'], '#picture img': ['Your picture as a style'],
    '#teacher img': ['The picture to learn from'], '#learned img': ['What is learned so far'],
    '#result img': ['The photo', 'The painting']};
  const describe = () => {
    const pictures = ['styles', 'sheet', 'earlier'].map((id) => `#${id} .thumbnail-item`).join();
    for (const button of document.querySelectorAll(pictures)) {
      const caption = button.querySelector('.caption-label')?.textContent.trim();
      const name = caption?.replace('✓ ', '');
      if (!name || (button.dataset.caption === caption && button.getAttribute('aria-label') === name)) continue;
      button.dataset.caption = caption;
      button.setAttribute('aria-label', name);
      if (button.closest('#styles')) button.setAttribute('aria-pressed', caption.startsWith('✓'));
    }
    document.querySelectorAll('#examples .gallery-item').forEach((button, index) => {
      const name = `Example photo ${index + 1}`;
      if (button.getAttribute('aria-label') !== name) button.setAttribute('aria-label', name);
    });
    for (const [pictures, texts] of Object.entries(alternatives))
      document.querySelectorAll(pictures).forEach((picture, index) => { picture.alt = texts[index] ?? ''; });
    for (const id of ['note', 'mix', 'learning', 'many', 'sheet-note'])
      document.getElementById(id)?.setAttribute('aria-live', 'polite');
    const divider = document.querySelector('#result [data-testid=slider]');
    if (divider && divider.role !== 'slider')
      Object.assign(divider, {tabIndex: 0, role: 'slider', ariaLabel: 'Divider between photo and painting',
        ariaValueMin: 0, ariaValueMax: 100, ariaValueNow: 50});
  };
  new MutationObserver(describe).observe(document.body, {childList: true, subtree: true, characterData: true,
    attributeFilter: ['aria-label']});
  describe();
  // A slider tells that it was released upon these alone, not when it was moved by keys or by a typed number.
  document.addEventListener('keyup', ({target, key}) => {
    if (target.matches?.('input[type=range]') && /^(Arrow|Page|Home|End)/.test(key))
      target.dispatchEvent(new PointerEvent('pointerup', {bubbles: true}));
    if (target.matches?.('input[type=number]') && key === 'Enter') target.blur();
  });
  // Gradio takes a box that is left empty for the least number, or for none.
  const boxes = 'input[type=number], #size input';
  document.addEventListener('focusin', ({target}) => {
    if (!target.matches?.(boxes)) return;
    target.dataset.before = target.value;
    delete target.dataset.typed;
  });
  document.addEventListener('input', ({target}) => { target.dataset.typed = true; }, {capture: true});
  document.addEventListener('blur', ({target}) => {
    if (!target.matches?.(boxes) || target.value !== '') return;
    target.value = target.dataset.before;
    target.dispatchEvent(new InputEvent('input', {bubbles: true}));
  }, {capture: true});
  // A slider also tells that it was released upon these, though nothing was typed beside it.
  for (const left of ['blur', 'pointerup'])
    document.addEventListener(left, (event) => {
      const {target} = event;
      if (target.matches?.('input[type=number]') && !target.dataset.typed) event.stopPropagation();
    }, {capture: true});
  // On Enter Gradio takes a choice that contains the text, 2560 for 256: it may only after one was moved to.
  let moved = false;
  document.addEventListener('keydown', (event) => {
    const {target, key} = event;
    if (!target.closest?.('#size')) return;
    if (key === 'Enter' && !moved) {
      event.stopPropagation();
      target.blur();
    }
    const typed = target.value !== target.dataset.before;  // in a text that is typed these two move the cursor
    moved = /^Arrow(Up|Down)$/.test(key) || (/^(Home|End)$/.test(key) && !typed);
  }, {capture: true});
  // A page that was served before the server was started anew can do nothing there any more.
  window.addEventListener('focus', async () => {
    const {root, api_prefix, app_id} = window.gradio_config ?? {};
    const path = new URL(root || '/', location).pathname.replace(/[/]$/, '');
    const told = await fetch(`${path}${api_prefix}/app_id`).then((answer) => answer.json()).catch(() => null);
    if (told?.app_id && app_id && told.app_id !== app_id) location.reload();
  });
  // Gradio moves the divider to where a mouse is pressed on it.
  document.addEventListener('keydown', (event) => {
    const divider = event.target.closest?.('#result [data-testid=slider]');
    const step = {ArrowLeft: -.05, ArrowRight: .05, Home: -1, End: 1}[event.key];
    if (!divider || !step) return;
    event.preventDefault();
    const {left, top, width} = divider.getBoundingClientRect(), picture = document.querySelector('#result img');
    const frame = picture.parentElement.getBoundingClientRect();
    const shown = Math.min(frame.width, frame.height * picture.naturalWidth / picture.naturalHeight);
    const edge = frame.left + (frame.width - shown) / 2;  // there are margins beside what is high
    const share = Math.min(1, Math.max(0, (left + width / 2 - edge) / shown + step));
    const clientX = edge + share * shown;
    for (const [type, target] of [['mousedown', divider], ['mouseup', window]])
      target.dispatchEvent(new MouseEvent(type, {view: window, clientX, clientY: top, bubbles: true}));
    divider.ariaValueNow = Math.round(100 * share);
  });
  // A finger on the painting scrolls the page, unless it is magnified: Gradio would stop every touch there.
  document.addEventListener('touchstart', (event) => {
    const picture = event.target.closest?.('#result img');
    if (event.touches.length === 1 && picture?.style.transform.endsWith('scale(1)')) event.stopPropagation();
  }, {capture: true, passive: true});
}
"""


def appearance() -> dict[str, Any]:
    """Arguments for Gradio's `launch`."""
    return {"theme": _theme(), "css": CSS, "js": SCRIPT}


def _theme() -> gr.themes.Base:
    """Light or dark, as the visitor's system is; subdued texts are darker than Gradio's, to be readable."""
    theme = gr.themes.Default(
        primary_hue="orange",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return theme.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
        input_placeholder_color="*neutral_500",
    )


def progress_bar(share: float, text: str) -> str:
    """A bar with a line of text under it, as HTML; `share` in [0, 1]."""
    percent = round(100 * min(1.0, max(0.0, share)))
    values = f'aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100"'
    bar = f'<div style="width:{percent}%"></div>'
    quiet = "" if percent in (0, 100) else ' aria-live="off"'  # or a screen reader would say every step
    return (
        f'<div class="progress" role="progressbar" aria-label="Progress" {values}>{bar}</div>'
        f"<p{quiet}>{text}</p>"
    )
