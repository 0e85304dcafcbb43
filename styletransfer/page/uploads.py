"""Inputs for files that leave nothing else behind, and how large a file may be."""

import gradio as gr
from gradio.data_classes import FileData
from gradio.utils import NamedString

LARGEST_UPLOAD = 100  # MB


# Their values are paths. Gradio itself also makes an empty file whenever a path is read, and never removes it.
# That the files were uploaded is checked before, by Gradio.
class FileInput(gr.File):
    """An input for files."""

    is_template = True  # for the browser it is an ordinary one

    def _process_single_file(self, f: FileData) -> NamedString:
        return NamedString(f.path)


class FileButton(gr.UploadButton):
    """A button that asks for a file."""

    is_template = True

    def _process_single_file(self, f: FileData) -> NamedString:
        return NamedString(f.path)
