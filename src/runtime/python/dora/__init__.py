"""Connects a Python program to the dataflow that it is a node of, with dora-rs's API: docs/python.md."""

from enum import IntEnum as _IntEnum

from ._errors import DoraError
from ._node import Node

__all__ = ["DoraError", "DoraStatus", "Node"]


class DoraStatus(_IntEnum):
    """What an operator's `on_event` returns."""

    CONTINUE = 0
    STOP = 1
    STOP_ALL = 2
