"""Where the links of a node arrive: docs/transports.md "Frames", the inbox's side."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from typing import Callable, Dict, List, Optional, Set, Tuple

from ._addresses import listen, shut, watch_tcp
from ._errors import DoraError, FrameError
from ._events import EventStream, InputQueue, Item
from ._frames import (
    CLOSE,
    HEADER_BYTES_MAX,
    HELLO,
    LARGE,
    LINK_HEAD,
    MESSAGE,
    NUMBER,
    PART,
    PAYLOAD_BYTES_MAX,
    REFUSED,
    RING,
    RING_PART,
    RING_READY,
    TAKEN,
    TOKEN_BYTES_MAX,
    TOPIC_BYTES_MAX,
    TWO_NUMBERS,
    WELCOME,
    Bytes,
    ByteStream,
    link_frame,
    number_of,
)
from ._memory import MemoryPool
from ._ring import RING_BYTES, open_ring, read_at
from ._scheduler import start_thread

_HELLO_SECONDS = 5.0
_STRANGERS_MAX = 128
_HELLO_HEADER_BYTES_MAX = 8 + TOPIC_BYTES_MAX
# The sender is told what was taken after so many messages, or bytes of parts.
_TAKEN_MESSAGES_MAX = 256
_TAKEN_BYTES_MAX = 1024 * 1024
# Messages that are handed over in one go.
_BATCH_MESSAGES_MAX = 64


class ArrivingLink:
    """A link as its input knows it: it outlives its connections, of which it has the newest."""

    def __init__(
        self,
        queue: InputQueue,
        topic: str,
        token: str,
        events: EventStream,
        on_touch: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self.queue = queue
        self.topic = topic
        self.token = token
        self.acceptance = os.urandom(16)
        self.taken = 0
        self.events = events
        self.on_touch = on_touch
        self.on_end = on_end
        self.connection: Optional["_Connection"] = None


class Inbox:
    """Listens at one address. Threads: one that admits, and one for each connection.

    Errors: `LISTEN_FAILED`, `ADDRESS_IN_USE`, `CONFIG_INVALID`.
    """

    def __init__(
        self, endpoint: str, ring_folder: Optional[str], on_refused: Callable[[str], None]
    ) -> None:
        self.ring_folder = ring_folder
        self.pool = MemoryPool()
        self.lock = threading.Lock()
        self.strangers = 0
        self._on_refused = on_refused
        self._links: Dict[str, ArrivingLink] = {}
        self._connections: Set["_Connection"] = set()
        self._is_closed = False
        try:
            self._socket, self.endpoint = listen(endpoint)
        except OSError as error:
            is_in_use = error.errno == errno.EADDRINUSE
            code = "ADDRESS_IN_USE" if is_in_use else "LISTEN_FAILED"
            raise DoraError(code, f"cannot listen at {endpoint}: {error}") from None
        except ValueError as error:
            raise DoraError("CONFIG_INVALID", str(error)) from None
        start_thread("dora-inbox", self._admit)

    def accept(self, link: ArrivingLink) -> None:
        with self.lock:
            self._links[link.topic] = link

    def forget(self, link: ArrivingLink) -> None:
        """Receives no more on this link; a sender that is connected is cut off."""
        with self.lock:
            if self._links.get(link.topic) is link:
                del self._links[link.topic]
        if link.connection is not None:
            link.connection.cut()
        link.events.wake_readers()

    def find(self, topic: str, token: str) -> Optional[ArrivingLink]:
        """None where topic or token is wrong; a stranger does not learn which."""
        with self.lock:
            link = self._links.get(topic)
        known = link is not None and _is_same_secret(link.token.encode(), token.encode())
        return link if known else None

    @property
    def connections(self) -> int:
        with self.lock:
            return sum(link.connection is not None for link in self._links.values())

    def refuse(self, reason: str) -> None:
        if not self._is_closed:
            self._on_refused(reason)

    def done(self, connection: "_Connection") -> None:
        with self.lock:
            self._connections.discard(connection)

    def close(self) -> None:
        with self.lock:
            self._is_closed = True
            links = list(self._links.values())
            connections = list(self._connections)
        shut(self._socket)
        self._socket.close()
        for connection in connections:
            connection.cut()
        for link in links:
            self.forget(link)

    def _admit(self) -> None:
        while not self._is_closed:
            try:
                sock = self._socket.accept()[0]
            except OSError:
                if self._is_closed:
                    return
                time.sleep(0.1)  # Out of handles: it is tried again.
                continue
            connection = _Connection(sock, self)
            with self.lock:
                is_crowded = self.strangers >= _STRANGERS_MAX or self._is_closed
                if not is_crowded:
                    self.strangers += 1
                    self._connections.add(connection)
            if is_crowded:
                sock.close()
                self.refuse("too many connections that said no hello")
                continue
            start_thread("dora-arriving", connection.run)


class _Connection:
    """One connection, for one link, read by one thread."""

    def __init__(self, sock: socket.socket, inbox: Inbox) -> None:
        self.is_cut = False
        self._socket = sock
        self._inbox = inbox
        self._stream = ByteStream(sock, inbox.pool)
        self._link: Optional[ArrivingLink] = None
        self._batch: List[Item] = []
        self._ring: Optional[int] = None
        self._large: Optional[Tuple[Bytes, memoryview]] = None
        self._filled = 0
        self._untold_messages = 0
        self._untold_bytes = 0

    def cut(self) -> None:
        self.is_cut = True
        shut(self._socket)

    def took(self) -> None:
        """With the stream's lock held: one message more is in its queue."""
        if self._link is not None:
            self._link.taken += 1

    def run(self) -> None:
        is_stranger = True
        try:
            link = self._read_hello()
            is_stranger = False
            with self._inbox.lock:
                self._inbox.strangers -= 1
            self._begin(link)
            while self._read_frame(link):
                pass
        except FrameError as error:
            self._refuse(str(error))
        except OSError as error:
            if is_stranger and isinstance(error, socket.timeout):
                self._refuse("it said no hello")
        finally:
            self._end(is_stranger)

    def _end(self, is_stranger: bool) -> None:
        link = self._link
        if link is not None:
            with link.events.lock:
                if link.connection is self:
                    link.connection = None
        if is_stranger:
            with self._inbox.lock:
                self._inbox.strangers -= 1
        if self._ring is not None:
            os.close(self._ring)
        self._inbox.done(self)
        self._socket.close()

    def _refuse(self, reason: str) -> None:
        if self.is_cut:
            return
        self._inbox.refuse(reason)
        try:
            self._socket.settimeout(1.0)
            self._socket.sendall(link_frame(REFUSED, b"", reason.encode()))
        except OSError:
            return  # It is told nothing, then.

    def _read_hello(self) -> ArrivingLink:
        self._socket.settimeout(_HELLO_SECONDS)
        kind, header_size, size, _ = LINK_HEAD.unpack_from(self._stream.peek(LINK_HEAD.size))
        if kind != HELLO or header_size > _HELLO_HEADER_BYTES_MAX or size > TOKEN_BYTES_MAX:
            raise FrameError("it said no hello")
        self._stream.skip(LINK_HEAD.size)
        header = bytes(self._stream.take(header_size))
        token = bytes(self._stream.take(size))
        if len(header) < 8 or header[:4] != b"DORA":
            raise FrameError("this is no node of a dataflow")
        version = int.from_bytes(header[4:6], "little")
        if version != 1:
            raise FrameError(f"protocol version {version}; spoken here is 1")
        link = self._inbox.find(header[8:].decode("utf-8", "replace"), token.decode("utf-8", "replace"))
        if link is None:
            raise FrameError("no link of this topic and token arrives here")
        return link

    def _begin(self, link: ArrivingLink) -> None:
        self._socket.settimeout(None)
        if self._socket.family != socket.AF_UNIX:
            watch_tcp(self._socket)
        with link.events.lock:
            older, link.connection = link.connection, self
            if older is not None:
                older.cut()
            taken = link.taken % 2**32
        link.events.wake_readers()
        self._link = link
        self._socket.sendall(link_frame(WELCOME, link.acceptance, NUMBER.pack(taken)))

    def _read_frame(self, link: ArrivingLink) -> bool:
        """Takes one frame; false where it was the last."""
        stream = self._stream
        kind, header_size, size, _ = LINK_HEAD.unpack_from(stream.peek(LINK_HEAD.size))
        if not self._may_come(kind, header_size, size):
            raise FrameError(f"a frame of type {kind} with {header_size} and {size} bytes is not in its place")
        stream.skip(LINK_HEAD.size)
        if kind == MESSAGE:
            header = stream.take(header_size)
            self._batch.append(("message", time.time_ns(), header, stream.take(size)))
            self._untold_messages += 1
        elif kind == LARGE:
            header = stream.take(header_size)
            total = number_of(stream.take(size), 0)
            if total > PAYLOAD_BYTES_MAX:
                raise FrameError(f"a payload of {total} bytes")
            self._large = (header, self._inbox.pool.allocate(total))
            self._filled = 0
            self._go_on_large()
        elif kind == PART:
            self._take_part(size)
        elif kind == RING_PART:
            self._take_ring_part(stream.take(size))
        elif kind == RING:
            name = bytes(stream.take(header_size)).decode("latin-1")
            self._open_ring(name, number_of(stream.take(size), 0))
        self._deliver(link, is_end=kind == CLOSE)
        if kind != CLOSE:
            return True
        link.on_end()
        return False

    def _deliver(self, link: ArrivingLink, is_end: bool) -> None:
        """Hands over what was read, unless more of it is here already."""
        batch = self._batch
        has_more = self._stream.has_frame()
        if batch and (is_end or not has_more or len(batch) >= _BATCH_MESSAGES_MAX):
            self._batch = []
            link.on_touch()
            link.events.deliver(link.queue, batch, self)
        is_due = self._untold_bytes > 0 and self._large is None
        is_due = is_due or self._untold_bytes >= _TAKEN_BYTES_MAX
        if not self._batch and (is_due or is_end or self._untold_messages >= _TAKEN_MESSAGES_MAX):
            self._tell_taken()

    def _tell_taken(self) -> None:
        taken = TWO_NUMBERS.pack(self._untold_messages, self._untold_bytes)
        self._untold_messages = self._untold_bytes = 0
        if taken != bytes(8) and not self.is_cut:
            self._socket.sendall(link_frame(TAKEN, b"", taken))

    def _may_come(self, kind: int, header_size: int, size: int) -> bool:
        if self._large is not None:
            missing = len(self._large[1]) - self._filled
            is_part = kind == PART and size <= missing
            return header_size == 0 and (is_part or (kind == RING_PART and size == 8))
        if kind == MESSAGE:
            return header_size <= HEADER_BYTES_MAX and size <= PAYLOAD_BYTES_MAX
        if kind == LARGE:
            return header_size <= HEADER_BYTES_MAX and size == 4
        if kind == RING:
            return header_size <= 64 and size == 4
        return kind == CLOSE and header_size == 0 and size == 0

    def _take_part(self, size: int) -> None:
        if self._large is None:
            raise FrameError("a part without its message")
        self._stream.take_into(self._large[1][self._filled : self._filled + size])
        self._filled += size
        self._untold_bytes += size
        self._go_on_large()

    def _take_ring_part(self, place: Bytes) -> None:
        offset, size = TWO_NUMBERS.unpack(place)
        if self._large is None or self._ring is None or size > len(self._large[1]) - self._filled:
            raise FrameError("a part in no ring")
        target = self._large[1][self._filled : self._filled + size]
        if size > RING_BYTES or read_at(self._ring, target, offset) != size:
            raise FrameError("the ring has no such bytes")
        self._filled += size
        self._untold_bytes += size
        self._go_on_large()

    def _go_on_large(self) -> None:
        if self._large is None or self._filled < len(self._large[1]):
            return
        header, payload = self._large
        self._large = None
        self._batch.append(("message", time.time_ns(), header, payload))
        self._untold_messages += 1

    def _open_ring(self, name: str, size: int) -> None:
        """A ring that cannot be opened, in another container for one, is not answered."""
        folder = self._inbox.ring_folder
        if folder is None or self._ring is not None:
            return
        self._ring = open_ring(folder, name, size)
        if self._ring is None:
            return
        self._socket.sendall(link_frame(RING_READY))


def _is_same_secret(left: bytes, right: bytes) -> bool:
    """Compares in a time that says nothing about where two texts differ."""
    difference = len(left) ^ len(right)
    for one, other in zip(left, right):
        difference |= one ^ other
    return difference == 0
