"""One event, and the message of which it tells."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Dict, Optional

from . import _values
from ._frames import Bytes
from ._trace import (
    CONTEXT_KEY,
    TraceContext,
    format_context,
    new_span_id,
    new_trace_id,
    parse_traceparent,
)

if TYPE_CHECKING:
    from ._events import InputQueue, Item

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Event(dict):  # type: ignore[type-arg]
    """One event, as dora-rs has it: a dict. The value of an input is made of its bytes when it is first looked at."""

    __slots__ = ("_message",)

    def __init__(self, fields: Dict[str, Any], message: Optional["Message"] = None) -> None:
        super().__init__(fields)
        self._message = message

    def _load(self) -> None:
        message = self._message
        if message is not None and not dict.__contains__(self, "value"):
            dict.__setitem__(self, "value", _values.decode(message.encoding, message.payload))

    def __missing__(self, key: str) -> Any:
        if key != "value" or self._message is None:
            raise KeyError(key)
        self._load()
        return dict.__getitem__(self, key)

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self, key) or (key == "value" and self._message is not None)

    def get(self, key: Any, default: Any = None) -> Any:
        return self[key] if key in self else default

    def __iter__(self) -> Any:
        self._load()
        return dict.__iter__(self)

    def __len__(self) -> int:
        self._load()
        return dict.__len__(self)

    def keys(self) -> Any:
        self._load()
        return dict.keys(self)

    def values(self) -> Any:
        self._load()
        return dict.values(self)

    def items(self) -> Any:
        self._load()
        return dict.items(self)

    def copy(self) -> Dict[str, Any]:
        return dict(self.items())

    def __eq__(self, other: object) -> bool:
        self._load()
        return dict.__eq__(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        self._load()
        return dict.__repr__(self)


class Message:
    """A message whose handling goes on: its span, which sends and records belong to."""

    __slots__ = (
        "encoding",
        "payload",
        "size",
        "context",
        "trace_id",
        "span_id",
        "sent_ns",
        "received_ns",
        "start_ns",
        "queue",
        "is_failed",
    )

    def __init__(self, queue: "InputQueue", received_ns: int) -> None:
        self.queue = queue
        self.encoding = "none"
        self.payload: Bytes = b""
        self.size = 0
        self.context: Optional[TraceContext] = None
        self.trace_id = ""
        self.span_id = new_span_id()
        self.sent_ns = received_ns
        self.received_ns = received_ns
        self.start_ns = 0
        self.is_failed = False

    @property
    def as_parent(self) -> TraceContext:
        if self.context is None:
            return TraceContext(self.trace_id, self.span_id, "")
        return TraceContext(self.trace_id, self.span_id, self.context.state, self.context.flags)


def input_event(queue: "InputQueue", item: "Item") -> Event:
    """Errors: `ValueError` and others for a header that is none."""
    kind, received_ns, header, payload = item
    message = Message(queue, received_ns)
    metadata: Dict[str, Any] = {}
    if kind == "message":
        message.payload = payload
        message.size = len(payload)
        message.encoding = "bytes"
        if header:
            metadata = _read_header(message, header)
    elif kind == "entry":
        message.payload = header
        message.size = len(header)
        message.encoding = "bytes"
    context = message.context
    if context is None:
        message.trace_id = new_trace_id()
    else:
        message.trace_id = context.trace_id
        metadata[CONTEXT_KEY] = format_context(context)
    sent = _EPOCH + timedelta(microseconds=message.sent_ns // 1000)
    metadata.setdefault("timestamp", sent)
    fields = {"type": "INPUT", "id": queue.id, "kind": "dora", "metadata": metadata}
    message.start_ns = time.time_ns()
    return Event(fields, message)


def _read_header(message: Message, header: Bytes) -> Dict[str, Any]:
    read = json.loads(bytes(header))
    if not isinstance(read, dict):
        raise ValueError("the header is no object")
    if read["e"] not in ("bytes", "arrow", "none"):
        raise ValueError("the header's e is none of bytes, arrow, none")
    metadata = read.get("m", {})
    if not isinstance(metadata, dict):
        raise ValueError("the header's m is no object")
    text = read["t"]
    if not isinstance(text, str) or not text.isdecimal() or len(text) > 19:
        raise ValueError("the header's t is no time")
    message.encoding = read["e"]
    message.sent_ns = int(text)
    message.context = parse_traceparent(read["tp"], read.get("ts", ""))
    return metadata


def error_event(message: str, input_id: Optional[str] = None) -> Event:
    """Something was lost or cannot be had; the node goes on."""
    fields = event_fields("ERROR", error=message)
    if input_id is not None:
        fields["id"] = input_id
    return Event(fields)


def stop_event(cause: str, grace_seconds: float) -> Event:
    return Event(event_fields("STOP", id=cause, grace=grace_seconds))


def told_event(kind: str, **fields: Any) -> Event:
    return Event(event_fields(kind, **fields))


def event_fields(kind: str, **fields: Any) -> Dict[str, Any]:
    return {"type": kind, "kind": "dora", **fields}
