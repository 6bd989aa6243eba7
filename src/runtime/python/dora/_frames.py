"""Frames of the node protocol and of links, and the cutting of a socket's bytes into them."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any, Optional, Sequence, Union

from ._errors import FrameError
from ._memory import MemoryPool

# Between node and daemon: docs/node-protocol.md "Frames".
FRAME_JSON = 1
FRAME_HOPS = 2
DAEMON_FRAME_BYTES_MAX = 4 * 1024 * 1024
DAEMON_HEAD = struct.Struct("<IB")

# Between nodes: docs/transports.md "Frames".
HELLO = 1
WELCOME = 2
REFUSED = 3
MESSAGE = 4
LARGE = 5
PART = 6
RING_PART = 7
TAKEN = 8
CLOSE = 9
RING = 10
RING_READY = 11
LINK_HEAD = struct.Struct("<IIII")
NUMBER = struct.Struct("<I")
TWO_NUMBERS = struct.Struct("<II")

HEADER_BYTES_MAX = 64 * 1024
PAYLOAD_BYTES_MAX = 256 * 1024 * 1024
TOPIC_BYTES_MAX = 1024
TOKEN_BYTES_MAX = 4096

_CHUNK_BYTES = 64 * 1024

Bytes = Union[bytes, bytearray, memoryview]


def daemon_frame(kind: int, body: bytes) -> bytes:
    return DAEMON_HEAD.pack(len(body), kind) + body


def daemon_message(message: Any) -> bytes:
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return daemon_frame(FRAME_JSON, body.encode("utf-8", "replace"))


def link_frame(kind: int, header: bytes = b"", payload: bytes = b"") -> bytes:
    return LINK_HEAD.pack(kind, len(header), len(payload), 0) + header + payload


def hello_frame(topic: str, token: str) -> bytes:
    header = b"DORA" + struct.pack("<HH", 1, 0) + topic.encode()
    return link_frame(HELLO, header, token.encode())


def number_of(payload: Bytes, index: int) -> int:
    """The number at `index` of a payload that is numbers."""
    if len(payload) < 4 * (index + 1):
        raise FrameError("a frame's numbers are cut off")
    return int(NUMBER.unpack_from(payload, 4 * index)[0])


def send_pieces(sock: socket.socket, pieces: Sequence[Bytes]) -> None:
    """Sends all pieces as one; waits where the other end is slow."""
    total = sum(len(piece) for piece in pieces)
    sent = sock.sendmsg(pieces)
    if sent == total:
        return
    for piece in pieces:
        if sent >= len(piece):
            sent -= len(piece)
            continue
        sock.sendall(memoryview(piece)[sent:])
        sent = 0


class ByteStream:
    """What a socket receives, by exact sizes.

    Errors: `ConnectionError` at its end; `OSError` of the socket, a time-out included.
    Threads: one.
    """

    def __init__(self, sock: socket.socket, pool: Optional[MemoryPool] = None) -> None:
        self._sock = sock
        self._pool = pool
        self._buffer = bytearray(_CHUNK_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0

    def has_frame(self) -> bool:
        """Whether a whole frame of a link is here already."""
        have = self._end - self._start - LINK_HEAD.size
        if have < 0:
            return False
        _, header_size, size, _ = LINK_HEAD.unpack_from(self._buffer, self._start)
        return bool(header_size + size <= have)

    def peek(self, size: int) -> memoryview:
        """The next bytes, at most a chunk, without taking them; valid until the next call."""
        if self._end - self._start < size:
            self._fill(size)
        return self._view[self._start : self._end]

    def skip(self, size: int) -> None:
        self._start += size

    def take(self, size: int) -> Bytes:
        """A copy of the next bytes: large ones lie in memory that is used again when nobody has it."""
        if size <= _CHUNK_BYTES:
            if self._end - self._start < size:
                self._fill(size)
            start = self._start
            self._start = start + size
            return bytes(self._view[start : start + size])
        target = memoryview(bytearray(size)) if self._pool is None else self._pool.allocate(size)
        self.take_into(target)
        return target

    def take_into(self, target: memoryview) -> None:
        size = len(target)
        have = min(self._end - self._start, size)
        target[:have] = self._view[self._start : self._start + have]
        self._start += have
        while have < size:
            count = self._sock.recv_into(target[have:])
            if count == 0:
                raise ConnectionError("it closed the connection")
            have += count

    def _fill(self, size: int) -> None:
        have = self._end - self._start
        if self._start + size > _CHUNK_BYTES or have == 0:
            self._buffer[:have] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, have
        while self._end - self._start < size:
            count = self._sock.recv_into(self._view[self._end :])
            if count == 0:
                raise ConnectionError("it closed the connection")
            self._end += count
