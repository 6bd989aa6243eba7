"""The connection to the daemon."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Optional

from ._addresses import shut
from ._errors import DoraError, FrameError
from ._frames import (
    DAEMON_FRAME_BYTES_MAX,
    DAEMON_HEAD,
    FRAME_HOPS,
    FRAME_JSON,
    ByteStream,
    daemon_frame,
    daemon_message,
)
from ._scheduler import Backoff, Scheduler, start_thread

Message = Dict[str, Any]

_WELCOME_SECONDS = 30.0
# Waits for a daemon that is away, and for one that does not read; more is dropped and counted.
_PENDING_BYTES_MAX = 1024 * 1024
_UNREAD_BYTES_MAX = 4 * 1024 * 1024
_RETRY_SECONDS = 0.02


class DaemonEvents:
    """Who listens to a daemon; called by its thread, one at a time."""

    def on_message(self, message: Message) -> None: ...

    def on_reconnected(self) -> None: ...

    def on_refused(self) -> None: ...

    def on_fault(self, message: str) -> None: ...


class DaemonLink:
    """Once it was open, its loss is no end: it is tried again, at growing intervals, for ever, with the same hello.

    Threads: any may send; nothing waits for the daemon.
    """

    def __init__(self, path: str, hello: Message, scheduler: Scheduler) -> None:
        self._path = path
        self._hello = daemon_message(hello)
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._socket: Optional[socket.socket] = None
        self._stream: Optional[ByteStream] = None
        self._reader: Optional[threading.Thread] = None
        self._is_closed = False
        self._pending: Deque[bytes] = deque()
        self._pending_bytes = 0
        # Of the first that waits: what of it is with the system already.
        self._sent_bytes = 0
        self._is_retry_due = False
        self._wake = threading.Event()
        self.dropped = 0

    def open(self) -> Message:
        """What the daemon says that this node is. Errors: `DAEMON_UNREACHABLE`, `NODE_REFUSED`."""
        try:
            answer = self._connect()
        except (OSError, FrameError, ValueError) as error:
            reason = "it did not answer in time" if isinstance(error, TimeoutError) else error
            message = f"no daemon can be reached at {self._path}: {reason}"
            raise DoraError("DAEMON_UNREACHABLE", message) from None
        if answer.get("type") != "welcome":
            self.close(0)
            message = f"the daemon refuses this node: {answer.get('message')}"
            raise DoraError("NODE_REFUSED", message)
        config = answer.get("config")
        if not isinstance(config, dict):
            self.close(0)
            raise DoraError("NODE_PROTOCOL", "the daemon said nothing of this node")
        return config

    def listen(self, events: DaemonEvents) -> None:
        self._reader = start_thread("dora-daemon", lambda: self._run(events))

    def send(self, message: Message) -> None:
        """Sends, or keeps until the daemon is back."""
        frame = daemon_message(message)
        with self._lock:
            if self._is_closed:
                return
            limit = _PENDING_BYTES_MAX if self._socket is None else _UNREAD_BYTES_MAX
            if self._pending_bytes + len(frame) > limit or len(frame) > DAEMON_FRAME_BYTES_MAX:
                self.dropped += 1
                return
            self._pending.append(frame)
            self._pending_bytes += len(frame)
            self._write_pending()

    def try_send(self, message: Message) -> bool:
        """Sends what is of no use later; false where the daemon cannot take it now."""
        return self._try_frame(daemon_message(message))

    def try_send_hops(self, body: bytes) -> bool:
        return self._try_frame(daemon_frame(FRAME_HOPS, body))

    def close(self, deadline: float) -> None:
        """Closes once the daemon has read what was sent, or after so many seconds. One that answers on a connection
        that is gone already would lose what it has not read of it."""
        end = time.monotonic() + deadline
        with self._lock:
            while self._socket is not None and self._pending and time.monotonic() < end:
                poll = select.poll()
                poll.register(self._socket, select.POLLOUT)
                poll.poll(max(0, (end - time.monotonic()) * 1000))
                self._write_pending()
            self._is_closed = True
            self._wake.set()
            if self._socket is not None:
                shut(self._socket, socket.SHUT_WR)
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(max(0, end - time.monotonic()))
        with self._lock:
            if self._socket is not None:
                shut(self._socket)

    def _try_frame(self, frame: bytes) -> bool:
        with self._lock:
            if self._socket is None or self._pending or self._is_closed:
                return False
            self._pending.append(frame)
            self._pending_bytes += len(frame)
            self._write_pending()
            return True

    def _write_pending(self) -> None:
        """Gives the system what it takes, without waiting; the rest is tried again soon."""
        sock = self._socket
        while sock is not None and self._pending:
            frame = self._pending[0]
            try:
                sent = sock.send(memoryview(frame)[self._sent_bytes :], socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._retry_later()
                return
            except OSError:
                # The reading thread sees the loss too, and deals with it.
                return
            self._sent_bytes += sent
            if self._sent_bytes == len(frame):
                self._pending.popleft()
                self._pending_bytes -= len(frame)
                self._sent_bytes = 0

    def _retry_later(self) -> None:
        if self._is_retry_due:
            return
        self._is_retry_due = True
        self._scheduler.after(_RETRY_SECONDS, self._retry)

    def _retry(self) -> None:
        with self._lock:
            self._is_retry_due = False
            self._write_pending()

    def _connect(self) -> Message:
        """Says hello and returns the answer, of either kind."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(_WELCOME_SECONDS)
            sock.connect(self._path)
            sock.sendall(self._hello)
            stream = ByteStream(sock)
            answer = _read(stream)
            while answer is None or answer.get("type") not in ("welcome", "refused"):
                answer = _read(stream)
            sock.settimeout(None)
        except BaseException:
            sock.close()
            raise
        with self._lock:
            self._stream = stream
            if answer["type"] == "welcome" and not self._is_closed:
                self._socket = sock
                self._write_pending()
            else:
                sock.close()
        return answer

    def _run(self, events: DaemonEvents) -> None:
        backoff = Backoff()
        while True:
            reason = self._read_all(events)
            with self._lock:
                sock, self._socket = self._socket, None
                self._sent_bytes = 0
                # Nobody writes without the lock: a handle that is closed may be another file's next.
                if sock is not None:
                    sock.close()
                if self._is_closed:
                    return
            events.on_fault(f"the daemon was lost: {reason}")
            while not self._wake.wait(backoff.next_delay()):
                try:
                    answer = self._connect()
                except (OSError, FrameError, ValueError):
                    continue
                if answer["type"] == "refused":
                    with self._lock:
                        self._is_closed = True
                    events.on_refused()
                    return
                backoff.reset()
                events.on_reconnected()
                break
            if self._is_closed:
                return

    def _read_all(self, events: DaemonEvents) -> str:
        stream = self._stream
        try:
            while stream is not None:
                message = _read(stream)
                # Once it is closed, nothing matters but the daemon's end of it.
                if message is not None and not self._is_closed:
                    _tell(events.on_message, events, message)
        except (OSError, FrameError) as error:
            return str(error)
        return "it was closed"


def _tell(on_message: Callable[[Message], None], events: DaemonEvents, message: Message) -> None:
    """What makes no sense is told, and passed over."""
    try:
        on_message(message)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = message.get("type")
        detail = f"{type(error).__name__} {error}"
        events.on_fault(f"the daemon said what makes no sense: {what}: {detail}")


def _read(stream: ByteStream) -> Optional[Message]:
    """The next frame's message; None for what is none. Errors: `FrameError` for a frame that is too large."""
    size, kind = DAEMON_HEAD.unpack_from(stream.peek(DAEMON_HEAD.size))
    if size > DAEMON_FRAME_BYTES_MAX:
        raise FrameError(f"a frame announces {size} bytes, at most {DAEMON_FRAME_BYTES_MAX} are allowed")
    stream.skip(DAEMON_HEAD.size)
    body = stream.take(size)
    if kind != FRAME_JSON:
        return None
    try:
        message = json.loads(bytes(body))
    except (ValueError, RecursionError):
        return {"type": "garbage"}
    return message if isinstance(message, dict) else {"type": "garbage"}
