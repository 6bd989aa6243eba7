"""What goes wrong, told apart by code."""

from __future__ import annotations


class DoraError(RuntimeError):
    """A failure of the dataflow or its use. `code` is one of docs/errors.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code


class FrameError(Exception):
    """The other end sent what no node or daemon sends; its connection is of no use."""
