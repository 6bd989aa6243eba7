"""What the daemon is told of each message that was sent or handled: 88 bytes, from which it makes metrics and spans."""

from __future__ import annotations

import struct
import threading
from typing import Callable, List

from ._scheduler import Scheduler

SENT = 1
HANDLED = 2

# docs/node-protocol.md; the layout is in src/runtime/protocol/hops.ts.
_HOP = struct.Struct("<BBHI16s8s8sQQQQH14x")
_ALL_LINKS = 0xFFFF
_U64_MAX = 2**64 - 1
_NO_SPAN = bytes(8)

_FLUSH_SECONDS = 0.2
_FLUSH_COUNT = 2048
_HOPS_MAX = 4096


class HopRecorder:
    """Collects hops. While the daemon takes none, they wait; past the limit further ones are dropped and counted.

    Threads: any.
    """

    def __init__(self, scheduler: Scheduler, send: Callable[[bytes], bool]) -> None:
        self._scheduler = scheduler
        self._send = send
        self._lock = threading.Lock()
        self._hops: List[bytes] = []
        self._is_flush_due = False
        self.dropped = 0

    def sent(
        self,
        port: int,
        is_failed: bool,
        size: int,
        trace_id: str,
        span_id: str,
        parent: str,
        start: int,
        end: int,
    ) -> None:
        self._add(
            _HOP.pack(
                SENT,
                is_failed,
                port,
                size,
                bytes.fromhex(trace_id),
                bytes.fromhex(span_id),
                bytes.fromhex(parent) if parent else _NO_SPAN,
                start,
                end,
                0,
                0,
                _ALL_LINKS,
            )
        )

    def handled(
        self,
        port: int,
        is_failed: bool,
        size: int,
        trace_id: str,
        span_id: str,
        parent: str,
        start: int,
        end: int,
        sent: int,
        received: int,
    ) -> None:
        self._add(
            _HOP.pack(
                HANDLED,
                is_failed,
                port,
                size,
                bytes.fromhex(trace_id),
                bytes.fromhex(span_id),
                bytes.fromhex(parent) if parent else _NO_SPAN,
                start,
                end,
                min(sent, _U64_MAX),
                received,
                0,
            )
        )

    def flush(self) -> None:
        with self._lock:
            self._is_flush_due = False
            if not self._hops:
                return
            if self._send(b"".join(self._hops)):
                self._hops.clear()
            else:
                self._flush_later()

    def _add(self, hop: bytes) -> None:
        with self._lock:
            if len(self._hops) >= _HOPS_MAX:
                self.dropped += 1
                return
            self._hops.append(hop)
            is_full = len(self._hops) % _FLUSH_COUNT == 0
            if not is_full and not self._is_flush_due:
                self._flush_later()
        if is_full:
            self.flush()

    def _flush_later(self) -> None:
        self._is_flush_due = True
        self._scheduler.after(_FLUSH_SECONDS, self.flush)
