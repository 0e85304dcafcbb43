"""How the page looks: a theme with the system's own fonts, so that nothing is fetched from elsewhere."""

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
#mix { margin: .25rem 0; }
.progress { height: .5rem; border-radius: .25rem; background: var(--border-color-primary); overflow: hidden; }
.progress > div { height: 100%; background: var(--primary-500); }
"""


def theme() -> gr.themes.Default:
    """Light and dark, by the visitor's system."""
    return gr.themes.Default(
        primary_hue="orange",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def progress_bar(share: float, text: str) -> str:
    """A bar with a line of text under it, as HTML; `share` in [0, 1]."""
    percent = round(100 * min(1.0, max(0.0, share)))
    values = f'aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100"'
    bar = f'<div style="width:{percent}%"></div>'
    return f'<div class="progress" role="progressbar" aria-label="Progress" {values}>{bar}</div><p>{text}</p>'
