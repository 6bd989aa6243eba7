"""Memory of large payloads, used again once nobody looks at it."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Deque

_RECYCLED_BYTES_MIN = 64 * 1024
_RECYCLED_COUNT_MAX = 16
_RECYCLED_BYTES_MAX = 128 * 1024 * 1024


class MemoryPool:
    """Fresh memory costs more than the copy into it: what a handler let go is filled again.

    Threads: any; memory comes back from whichever thread lets go of it last.
    """

    def __init__(self) -> None:
        self._free: Deque[bytearray] = deque()

    def allocate(self, size: int) -> memoryview:
        """Exactly so many bytes, of whatever content."""
        if size < _RECYCLED_BYTES_MIN:
            return memoryview(bytearray(size))
        memory = self._find(size)
        if memory is None:
            memory = bytearray(size + 1)
        view = memoryview(memory)[:size]
        weakref.finalize(view, self._give_back, memory).atexit = False
        return view

    def _find(self, size: int) -> "bytearray | None":
        for _ in range(len(self._free)):
            try:
                memory = self._free.pop()
            except IndexError:
                return None
            if size < len(memory) <= 2 * size + 1 and _is_unseen(memory):
                return memory
            if _is_unseen(memory):
                self._free.appendleft(memory)
        return None

    def _give_back(self, memory: bytearray) -> None:
        self._free.append(memory)
        try:
            while (
                len(self._free) > _RECYCLED_COUNT_MAX
                or sum(map(len, tuple(self._free))) > _RECYCLED_BYTES_MAX
            ):
                self._free.popleft()
        except (IndexError, RuntimeError):
            return


def _is_unseen(memory: bytearray) -> bool:
    """Whether no view of it is left, as of a slice that somebody kept: Python refuses to resize it then."""
    try:
        memory.append(memory.pop())
    except BufferError:
        return False
    return True
