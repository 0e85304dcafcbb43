"""The web page: upload, paint, blend, learn a style. The only part that imports Gradio."""

from styletransfer.page import quick_import as quick_import  # before anything else imports Gradio
from styletransfer.page.site import build_page, serve

__all__ = ["build_page", "serve"]
