"""Every error a user can cause, in one tree: catch `StyleTransferError` for all of them.

A message says what was wrong, what was expected and what to do about it.
"""


class StyleTransferError(Exception):
    """Base of all errors raised on purpose by this package."""


class InvalidInput(StyleTransferError):
    """An argument or setting with a value that is not allowed."""


class UnreadableImage(StyleTransferError):
    """A picture that is missing, empty, truncated or too large, or a file that is not a picture."""


class UnwritableOutput(StyleTransferError):
    """An output that cannot be written: format, folder or permission."""


class UnknownStyle(StyleTransferError):
    """A style name that is not in the bank."""


class InvalidStyleFile(StyleTransferError):
    """A style file that is damaged, or that belongs to another base network."""


class MissingWeights(StyleTransferError):
    """A weight file that is missing, or has unexpected content."""


class TrainingDiverged(StyleTransferError):
    """The losses of a training run are no longer finite."""


class Cancelled(StyleTransferError):
    """Raised by a caller's `on_step` to stop the work in progress."""
