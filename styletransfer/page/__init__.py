"""The web page: upload, stylise, blend, teach it a new style. The only part that knows Gradio."""

from styletransfer.page import quick_import as quick_import  # before all that imports Gradio
from styletransfer.page.site import build_page, serve

__all__ = ["build_page", "serve"]
