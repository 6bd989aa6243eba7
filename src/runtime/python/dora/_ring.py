"""Files in memory for large payloads: docs/transports.md "Ring"."""

from __future__ import annotations

import os
import re
import stat
from typing import Optional, Tuple

from ._errors import FrameError

RING_BYTES = 4 * 1024 * 1024
_RING_STEP_BYTES = 1024 * 1024
_RING_NAME = re.compile(r"dora-ring-[0-9a-f-]{36}")


class RingWriter:
    """The sender's side: creates the file."""

    def __init__(self, folder: str) -> None:
        name = os.urandom(16).hex()
        parts = (name[:8], name[8:12], name[12:16], name[16:20], name[20:])
        self.name = f"dora-ring-{'-'.join(parts)}"
        self._path = os.path.join(folder, self.name)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._head = 0
        self._used = 0

    def write(self, piece: memoryview) -> Tuple[int, int]:
        """Where the next bytes of the piece lie, and how many; none where the ring is full. Errors: `OSError`."""
        if self._used == 0:
            self._head = 0
        free = min(RING_BYTES - self._used, RING_BYTES - self._head)
        size = min(free, len(piece), _RING_STEP_BYTES)
        if size == 0:
            return 0, 0
        offset = self._head
        written = os.pwrite(self._file, piece[:size], offset)
        self._head = (offset + written) % RING_BYTES
        return offset, written

    def use(self, size: int) -> None:
        self._used += size

    def release(self, size: int) -> None:
        self._used = max(0, self._used - size)

    def close(self) -> None:
        os.close(self._file)
        try:
            os.unlink(self._path)
        except OSError:
            return  # The receiver has unlinked it.


def open_ring(folder: str, name: str, size: int) -> Optional[int]:
    """The receiver's side: opens the file that the sender named, and unlinks it; None where it cannot be reached.

    Errors: `FrameError` for what is no ring.
    """
    if _RING_NAME.fullmatch(name) is None:
        raise FrameError("the ring's name is none")
    if size != RING_BYTES:
        raise FrameError("the ring's size is another")
    path = os.path.join(folder, name)
    try:
        ring = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        os.unlink(path)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(ring).st_mode):
        os.close(ring)
        raise FrameError("the ring is no file")
    return ring


def read_at(file: int, target: memoryview, offset: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(file, [target], offset)
    found = os.pread(file, len(target), offset)
    target[: len(found)] = found
    return len(found)
