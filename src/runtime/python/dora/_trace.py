"""Where in which trace something happens: W3C Trace Context, and dora-rs's key of it."""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple, Optional

CONTEXT_KEY = "open_telemetry_context"

# Version 00 is exactly this; later ones may add fields behind it. Version ff and ids of zeros are none.
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-|\Z)"
)
_KNOWN_FLAGS = 0x03


class TraceContext(NamedTuple):
    """Ids are lower-case hex; `state` is W3C `tracestate`, "" where there is none; of `flags` sampled (1) and random (2)
    are passed on."""

    trace_id: str
    span_id: str
    state: str
    flags: int = 1


def new_trace_id() -> str:
    return os.urandom(16).hex()


def new_span_id() -> str:
    return os.urandom(8).hex()


def parse_traceparent(text: Any, state: Any = "") -> Optional[TraceContext]:
    """None where the text is no `traceparent`."""
    found = _TRACEPARENT.match(text) if isinstance(text, str) else None
    if found is None or (found[1] == "00" and found[5] != ""):
        return None
    flags = int(found[4], 16) & _KNOWN_FLAGS
    return TraceContext(found[2], found[3], state if isinstance(state, str) else "", flags)


def format_traceparent(trace_id: str, span_id: str, flags: int = 1) -> str:
    return f"00-{trace_id}-{span_id}-{flags & _KNOWN_FLAGS:02x}"


def format_context(context: TraceContext) -> str:
    """The value of dora-rs's key."""
    traceparent = format_traceparent(context.trace_id, context.span_id, context.flags)
    return f"traceparent:{traceparent}\ntracestate:{context.state}\n"


def parse_context(text: Any) -> Optional[TraceContext]:
    """Reads dora-rs's key; older releases join by `;`."""
    if not isinstance(text, str):
        return None
    found = dict(entry.partition(":")[::2] for entry in re.split("[\n;]", text))
    return parse_traceparent(found.get("traceparent", ""), found.get("tracestate", ""))
