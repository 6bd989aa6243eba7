"""A link that leaves the node: messages go in the order of the sends, each waiting until the link takes it."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from typing import Callable, Deque, List, Optional, Tuple

from ._addresses import dial, shut
from ._errors import FrameError
from ._frames import (
    CLOSE,
    LARGE,
    LINK_HEAD,
    MESSAGE,
    NUMBER,
    PART,
    REFUSED,
    RING,
    RING_PART,
    RING_READY,
    TAKEN,
    TWO_NUMBERS,
    WELCOME,
    Bytes,
    ByteStream,
    hello_frame,
    link_frame,
    number_of,
    send_pieces,
)
from ._ring import RING_BYTES, RingWriter
from ._scheduler import Backoff, start_thread

_CONNECT_SECONDS = 10.0
# Messages that wait for a connection to come back.
_WAITING_BYTES_MAX = 1024 * 1024
_REPLY_BYTES_MAX = 4096

# From this size a payload goes by the ring.
_RING_PAYLOAD_BYTES_MIN = 128 * 1024

_U32 = 2**32


class Link:
    """One link that leaves the node."""

    id: str
    address: str
    is_connected: bool
    # Messages that were given up, since the node stops and the link takes nothing.
    dropped = 0
    # Messages whose arrival nobody confirmed when a connection was over: at most so many were lost.
    unconfirmed = 0

    def send(self, header: bytes, pieces: List[Bytes], size: int) -> None: ...

    def give_up(self) -> None: ...

    def stop_waiting_for_lost(self) -> None: ...

    def close(self, deadline: float) -> None: ...


class LocalLink(Link):
    """A link from a node to itself: by a socket, a node that is sending could not make room for what it sends."""

    is_connected = True

    def __init__(
        self,
        link_id: str,
        address: str,
        deliver: Callable[[bytes, bytes], None],
        end: Callable[[], None],
    ) -> None:
        self.id = link_id
        self.address = address
        self._deliver = deliver
        self._end = end

    def send(self, header: bytes, pieces: List[Bytes], size: int) -> None:
        self._deliver(header, b"".join(pieces))

    def close(self, deadline: float) -> None:
        if deadline > 0:
            self._end()


class OutgoingLink(Link):
    """One link. A thread of its own connects it, reads its answers, and connects it again when it is lost.

    Threads: any may send; sends on one link go one after the other.
    """

    def __init__(
        self,
        link_id: str,
        topic: str,
        address: str,
        token: str,
        ring_folder: Optional[str],
        on_settled: Callable[["OutgoingLink", Optional[str]], None],
    ) -> None:
        self.id = link_id
        self.address = address
        self._hello = hello_frame(topic, token)
        self._ring_folder = ring_folder
        # Called once: with None where it is open, else with what is wrong.
        self._on_settled = on_settled
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._state = "opening"
        self._socket: Optional[socket.socket] = None
        self._is_welcome = False
        self._is_writing = False
        self._acceptance = b""
        self._written = 0
        self._taken = 0
        self._waiting: Deque[Tuple[bytes, List[Bytes], int]] = deque()
        self._waiting_bytes = 0
        self._ring: Optional[RingWriter] = None
        self._is_ring_ready = False
        self._is_giving_up = False
        self._gives_up_lost = False
        self._successor: Optional[OutgoingLink] = None

    @property
    def is_connected(self) -> bool:  # type: ignore[override]
        return self._is_welcome

    def open(self) -> None:
        start_thread(f"dora-link-{self.id}", self._run)

    def send(self, header: bytes, pieces: List[Bytes], size: int) -> None:
        """Returns when the link has taken the message; its memory may then be used again."""
        while True:
            with self._turn:
                if self._successor is not None:
                    break
                is_full, sock = self._admit(header, pieces, size)
                if sock is not None:
                    try:
                        self._write(sock, header, pieces, size)
                    except OSError:
                        pass  # Its thread sees the loss too, and counts what was lost.
                    finally:
                        self._is_writing = False
                if not is_full:
                    return
            with self._changed:
                while not self._has_room(len(header) + size):
                    self._changed.wait()
        self._successor.send(header, pieces, size)

    def give_up(self) -> None:
        """A send that waits, and all that find the link full from now on, are dropped and counted."""
        with self._changed:
            self._is_giving_up = True
            if self._is_writing and self._socket is not None:
                shut(self._socket)
            self._changed.notify_all()

    def stop_waiting_for_lost(self) -> None:
        """When a whole dataflow stops, a receiver that is gone does not come back."""
        self._gives_up_lost = True
        if not self._is_welcome:
            self.give_up()

    def close(self, deadline: float) -> None:
        """Waits until the other end has taken everything, so many seconds at most. With 0 the link is cut."""
        end = time.monotonic() + deadline
        has_turn = deadline > 0 and self._turn.acquire(timeout=deadline)
        with self._changed:
            is_open = self._state == "open" and has_turn
            self._state = "closing" if is_open else "closed"
            sock = self._socket if is_open and self._is_welcome else None
        if sock is not None:
            _say_close(sock, end - time.monotonic())
        if has_turn:
            self._turn.release()
        with self._changed:
            while self._state == "closing" and not self._has_all_taken():
                rest = end - time.monotonic()
                gives_up = self._is_giving_up and not self._is_welcome
                if rest <= 0 or gives_up or not self._changed.wait(rest):
                    break
        self._cut()
        if self._successor is not None:
            self._successor.close(max(0, end - time.monotonic()))

    def move_to(self, successor: "OutgoingLink") -> None:
        """Closes, since the receiver was started again elsewhere: what waits for a connection goes to the link there
        first, then what is sent here still. What was written, and not confirmed, is lost."""
        with self._turn:
            with self._changed:
                waiting, self._waiting = self._waiting, deque()
            for header, pieces, size in waiting:
                successor.send(header, pieces, size)
            self._successor = successor
        self._cut()

    def _cut(self) -> None:
        with self._changed:
            self.unconfirmed += self._written - self._taken + len(self._waiting)
            self._written = self._taken
            self._waiting.clear()
            self._state = "closed"
            self._is_welcome = False
            if self._socket is not None:
                shut(self._socket)
            self._changed.notify_all()

    def _has_all_taken(self) -> bool:
        return self._written == self._taken and not self._waiting

    def _has_room(self, size: int) -> bool:
        return (
            self._is_welcome
            or self._waiting_bytes < _WAITING_BYTES_MAX
            or self._is_giving_up
            or self._state != "open"
        )

    def _admit(
        self, header: bytes, pieces: List[Bytes], size: int
    ) -> Tuple[bool, Optional[socket.socket]]:
        """Whether the message has to wait; and the socket to write it to, unless it was dealt with."""
        with self._lock:
            if self._state != "open":
                self.dropped += 1
                return False, None
            if self._is_welcome and self._socket is not None:
                self._written += 1
                self._is_writing = True
                return False, self._socket
            if self._is_giving_up:
                self.dropped += 1
                return False, None
            if self._waiting_bytes >= _WAITING_BYTES_MAX:
                return True, None
            self._waiting.append((header, [bytes(piece) for piece in pieces], size))
            self._waiting_bytes += len(header) + size
            return False, None

    def _write(self, sock: socket.socket, header: bytes, pieces: List[Bytes], size: int) -> None:
        if size >= _RING_PAYLOAD_BYTES_MIN and self._ring_folder is not None:
            if self._is_ring_ready and self._ring is not None:
                self._write_by_ring(sock, self._ring, header, pieces, size)
                return
            self._offer_ring(sock, self._ring_folder)
        head = LINK_HEAD.pack(MESSAGE, len(header), size, 0) + header
        send_pieces(sock, [head, *pieces])

    def _offer_ring(self, sock: socket.socket, folder: str) -> None:
        if self._ring is not None:
            return
        try:
            ring = RingWriter(folder)
        except OSError:
            self._ring_folder = None  # Large messages go through the socket, which always works.
            return
        with self._lock:
            self._ring = ring
        sock.sendall(link_frame(RING, ring.name.encode(), NUMBER.pack(RING_BYTES)))

    def _write_by_ring(
        self, sock: socket.socket, ring: RingWriter, header: bytes, pieces: List[Bytes], size: int
    ) -> None:
        sock.sendall(link_frame(LARGE, header, NUMBER.pack(size)))
        for piece in pieces:
            rest = memoryview(piece).cast("B")
            while len(rest) > 0:
                rest = rest[self._write_part(sock, ring, rest) :]

    def _write_part(self, sock: socket.socket, ring: RingWriter, rest: memoryview) -> int:
        with self._changed:
            while ring._used >= RING_BYTES and self._socket is sock:
                if self._is_giving_up:
                    raise OSError("the link was given up")
                self._changed.wait()
            if self._socket is not sock:
                raise OSError("the connection was lost")
        try:
            offset, written = ring.write(rest) if self._is_ring_ready else (0, 0)
        except OSError:
            written = 0
        if written == 0:
            # Memory is out: the rest goes through the socket, and the ring is not used again.
            self._is_ring_ready = False
            send_pieces(sock, [LINK_HEAD.pack(PART, 0, len(rest), 0), rest])
            return len(rest)
        with self._lock:
            ring.use(written)
        sock.sendall(link_frame(RING_PART, b"", TWO_NUMBERS.pack(offset, written)))
        return written

    def _run(self) -> None:
        backoff = Backoff()
        deadline = time.monotonic() + _CONNECT_SECONDS
        while True:
            is_opening = self._state == "opening"
            timeout = max(0.1, deadline - time.monotonic()) if is_opening else _CONNECT_SECONDS
            reason, is_refused = self._connect_once(timeout, backoff)
            with self._changed:
                is_late = time.monotonic() >= deadline
                if self._state == "opening" and (is_refused or is_late):
                    self._state = "failed"
                    break
                if self._state != "closed":
                    self._changed.wait(backoff.next_delay())
                if self._state == "closed":
                    return
        verb = "refuses the link" if is_refused else "cannot be reached"
        self._on_settled(self, f"{self.address} {verb}: {reason}")

    def _connect_once(self, timeout: float, backoff: Backoff) -> Tuple[str, bool]:
        """Serves one connection to its end: why it ended, and whether it was refused."""
        sock: Optional[socket.socket] = None
        try:
            sock = dial(self.address, timeout)
            sock.sendall(self._hello)
            self._read_replies(sock, backoff)
        except _Refused as error:
            return str(error), True
        except (OSError, FrameError, ValueError) as error:
            return str(error) or type(error).__name__, False
        finally:
            if sock is not None:
                self._disconnect(sock)
        return "it closed the connection", False

    def _disconnect(self, sock: socket.socket) -> None:
        shut(sock)
        with self._changed:
            self._is_welcome = False
            self._is_ring_ready = False
            self._socket = None
            self._is_giving_up = self._is_giving_up or self._gives_up_lost
            if self._state == "closing" and self._has_all_taken():
                self._state = "closed"
            self._changed.notify_all()
        # Whoever writes has left it by now: a handle that is closed may be another file's next.
        with self._turn:
            ring, self._ring = self._ring, None
            if ring is not None:
                ring.close()
            sock.close()

    def _read_replies(self, sock: socket.socket, backoff: Backoff) -> None:
        stream = ByteStream(sock)
        while True:
            kind, header_size, size, _ = LINK_HEAD.unpack_from(stream.peek(LINK_HEAD.size))
            if header_size + size > _REPLY_BYTES_MAX:
                raise FrameError(f"a frame of type {kind} is too large for an answer")
            stream.skip(LINK_HEAD.size)
            header = bytes(stream.take(header_size))
            payload = bytes(stream.take(size))
            if kind == TAKEN:
                with self._changed:
                    self._taken += number_of(payload, 0)
                    if self._ring is not None:
                        self._ring.release(number_of(payload, 1))
                    self._changed.notify_all()
            elif kind == WELCOME:
                sock.settimeout(None)
                backoff.reset()
                self._welcome(sock, header, number_of(payload, 0))
            elif kind == RING_READY:
                self._is_ring_ready = True
            elif kind == REFUSED:
                raise _Refused(payload.decode("utf-8", "replace"))
            else:
                raise FrameError(f"a frame of type {kind} is no answer")

    def _welcome(self, sock: socket.socket, acceptance: bytes, taken: int) -> None:
        with self._turn:
            with self._changed:
                is_first = self._acceptance == b""
                if self._acceptance == acceptance:
                    self._taken += (taken - self._taken) % _U32
                self.unconfirmed += 0 if is_first else self._written - self._taken
                self._acceptance = acceptance
                self._written = self._taken = taken
                self._socket = sock
                waiting, self._waiting = self._waiting, deque()
                self._waiting_bytes = 0
                self._written += len(waiting)
            for header, pieces, size in waiting:
                head = LINK_HEAD.pack(MESSAGE, len(header), size, 0) + header
                send_pieces(sock, [head, *pieces])
            with self._changed:
                self._is_welcome = True
                if self._state == "opening":
                    self._state = "open"
                elif self._state == "closing":
                    _say_close(sock, 1.0)
                elif self._state == "closed":
                    shut(sock)
                self._changed.notify_all()
        if is_first:
            self._on_settled(self, None)


class _Refused(Exception):
    """The inbox does not take this link."""


def _say_close(sock: socket.socket, seconds: float) -> None:
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    try:
        if poll.poll(max(0.0, seconds * 1000)):
            sock.sendall(link_frame(CLOSE))
    except OSError:
        return  # The link's thread sees it too.
