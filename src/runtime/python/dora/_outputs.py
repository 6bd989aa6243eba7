"""A node's outputs, and the links that the daemon has told it of."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from typing import Any, Callable, Dict, List, Optional

from . import _values
from ._errors import DoraError
from ._frames import HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX, Bytes
from ._hops import HopRecorder
from ._inputs import check_transport, topic_of
from ._links import Link, OutgoingLink
from ._schema import OutputSchema
from ._trace import CONTEXT_KEY, TraceContext, format_traceparent, new_span_id, new_trace_id, parse_context

_encode_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


class Output:
    """One output: its links and its schema. Its place in the configuration is what hops name."""

    def __init__(self, node: str, config: Dict[str, Any], index: int) -> None:
        self.id = str(config["id"])
        self.index = index
        self.schema = OutputSchema(node, self.id, config.get("schema"))
        self.links: Dict[str, Link] = {}
        self.is_closed = False
        self._unconfirmed_before = 0

    @property
    def unconfirmed(self) -> int:
        """As a link has it, and what it dropped; of all links, those included that are gone."""
        links = list(self.links.values())
        return self._unconfirmed_before + sum(link.unconfirmed + link.dropped for link in links)

    def retire(self, link: Link) -> None:
        """A link that was closed, and is no longer of this output."""
        self._unconfirmed_before += link.unconfirmed + link.dropped

    def send(self, header: bytes, pieces: List[Bytes], size: int) -> None:
        """Returns when each link has taken it."""
        for link in list(self.links.values()):
            link.send(header, pieces, size)


class Outputs:
    """Threads: any may send; links are connected by the daemon's messages."""

    def __init__(
        self,
        config: Dict[str, Any],
        hops: HopRecorder,
        local_link: Callable[[str, str, str], Link],
        on_failed: Callable[[str, str], None],
    ) -> None:
        self._node = str(config["node"]["id"])
        self._token = str(config["linkToken"])
        self._ring_folder = str(config["runDirectory"])
        self._hops = hops
        self._local_link = local_link
        self._on_failed = on_failed
        self._changed = threading.Condition(threading.Lock())
        self._opening: Dict[str, OutgoingLink] = {}
        self._is_closed = False
        self._outputs = {
            str(output["id"]): Output(self._node, output, index)
            for index, output in enumerate(config["outputs"])
        }

    @property
    def ids(self) -> List[str]:
        return list(self._outputs)

    @property
    def links(self) -> List[Link]:
        return [link for output in self._outputs.values() for link in list(output.links.values())]

    @property
    def unconfirmed(self) -> Dict[str, int]:
        """Of each output."""
        return {output.id: output.unconfirmed for output in self._outputs.values()}

    @property
    def connections(self) -> int:
        return sum(link.is_connected for link in self.links)

    def find(self, output_id: str) -> Output:
        """Errors: `OUTPUT_UNKNOWN`."""
        output = self._outputs.get(output_id)
        if output is not None:
            return output
        known = f"it has {', '.join(self._outputs)}" if self._outputs else "it has none"
        message = f'node {self._node} has no output "{output_id}"; {known}'
        raise DoraError("OUTPUT_UNKNOWN", message)

    def send(
        self,
        output_id: str,
        value: Any,
        metadata: Optional[Dict[str, Any]],
        parent: Optional[TraceContext],
    ) -> None:
        """Sends on all links, and records the send as a hop, failed or not. Errors: those of `Node.send_output`."""
        output = self.find(output_id)
        if output.is_closed or self._is_closed:
            message = f'output "{output_id}" of node {self._node} is closed'
            raise DoraError("NODE_CLOSED", message)
        start = time.time_ns()
        if parent is None and metadata:
            parent = parse_context(metadata.get(CONTEXT_KEY))
        trace_id = new_trace_id() if parent is None else parent.trace_id
        span_id = new_span_id()
        size = 0
        is_failed = True
        try:
            said = _metadata_to_send(metadata) if metadata else ""
            encoded = _values.encode(value)
            size = encoded.size
            if size > PAYLOAD_BYTES_MAX:
                message = f"a payload has {size} bytes; at most {PAYLOAD_BYTES_MAX} can be sent"
                raise DoraError("MESSAGE_TOO_LARGE", message)
            output.schema.check(encoded.schema)
            state = "" if parent is None or not parent.state else f',"ts":{_encode_json(parent.state)}'
            flags = 1 if parent is None else parent.flags
            header = (
                f'{{"t":"{start}","tp":"{format_traceparent(trace_id, span_id, flags)}"{state}'
                f',"e":"{encoded.encoding}"{said}}}'
            ).encode("utf-8", "replace")
            if len(header) > HEADER_BYTES_MAX:
                message = f"the metadata makes a header of {len(header)} bytes; at most {HEADER_BYTES_MAX} can be sent"
                raise DoraError("METADATA_INVALID", message)
            output.send(header, encoded.pieces, size)
            is_failed = False
        finally:
            self._hops.sent(
                port=output.index,
                is_failed=is_failed,
                size=min(size, 0xFFFF_FFFF),
                trace_id=trace_id,
                span_id=span_id,
                parent="" if parent is None else parent.span_id,
                start=start,
                end=time.time_ns(),
            )

    def connect(self, links: List[Dict[str, Any]]) -> Optional[DoraError]:
        """Opens links; one that is open to the same place stays. What this library does not carry is returned."""
        problem: Optional[DoraError] = None
        for told in links:
            link_id, address = str(told["link"]), str(told["address"])
            transport = told["transport"]
            output = self._outputs.get(str(told["output"]))
            if output is None:
                continue
            open_link = output.links.get(link_id)
            # One that is being closed may go on at its receiver's new place; none is opened any more.
            if open_link is None and (self._is_closed or output.is_closed):
                continue
            if open_link is not None and open_link.address == address:
                continue
            try:
                check_transport(f"output {output.id} of node {self._node}", str(transport["kind"]))
            except DoraError as error:
                self._on_failed(link_id, str(error))
                problem = error
                continue
            target = told["target"]
            if target["node"] == self._node:
                output.links[link_id] = self._local_link(link_id, address, str(target["input"]))
            else:
                self._open(output, link_id, topic_of(link_id, transport), address)
        return problem

    def disconnect(self, links: List[str]) -> None:
        for link_id in links:
            with self._changed:
                opening = self._opening.pop(link_id, None)
                self._changed.notify_all()
            if opening is not None:
                opening.close(0)
            for output in self._outputs.values():
                link = output.links.pop(link_id, None)
                if link is not None:
                    link.close(0)
                    output.retire(link)

    def wait_until_settled(self) -> None:
        """Until each link that is being opened is open, or has failed."""
        with self._changed:
            while self._opening:
                self._changed.wait()

    def close(self, output_ids: List[str], deadline: float) -> None:
        """Ends outputs, within so many seconds."""
        outputs = [self.find(output_id) for output_id in output_ids]
        for output in outputs:
            output.is_closed = True
        links = [link for output in outputs for link in list(output.links.values())]
        closing = [threading.Thread(target=link.close, args=(deadline,), daemon=True) for link in links]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
        for output in outputs:
            links, output.links = list(output.links.values()), {}
            for link in links:
                output.retire(link)

    def close_all(self, deadline: float) -> None:
        self._is_closed = True
        with self._changed:
            known = {link.id for link in self.links}
            opening = [link for link in self._opening.values() if link.id not in known]
            for link in opening:
                del self._opening[link.id]
            self._changed.notify_all()
        for link in opening:
            link.close(0)
        self.close(self.ids, deadline)

    def _open(self, output: Output, link_id: str, topic: str, address: str) -> None:
        ring_folder = self._ring_folder if address.startswith("unix:") else None

        def settle(link: OutgoingLink, problem: Optional[str]) -> None:
            self._settle(output, link, problem)

        link = OutgoingLink(link_id, topic, address, self._token, ring_folder, settle)
        with self._changed:
            older = self._opening.get(link_id)
            self._opening[link_id] = link
        if older is not None:
            older.close(0)
        link.open()

    def _settle(self, output: Output, link: OutgoingLink, problem: Optional[str]) -> None:
        with self._changed:
            # Told otherwise meanwhile.
            older = output.links.get(link.id)
            is_wanted = older is not None or not output.is_closed
            is_current = self._opening.get(link.id) is link and is_wanted
        if is_current and isinstance(older, OutgoingLink) and problem is None:
            older.move_to(link)
            output.retire(older)
        if is_current and problem is None:
            output.links[link.id] = link
        if not is_current:
            link.close(0)
        elif problem is not None:
            self._on_failed(link.id, problem)
        with self._changed:
            if self._opening.get(link.id) is link:
                del self._opening[link.id]
            self._changed.notify_all()


def _metadata_to_send(metadata: Dict[str, Any]) -> str:
    """The header's `m`, with a comma before; what was received may be sent on as it is. Errors: `METADATA_INVALID`."""
    said: Dict[str, Any] = {}
    for key, value in metadata.items():
        # The header has its own trace context and time.
        if key == CONTEXT_KEY or (key == "timestamp" and isinstance(value, datetime)):
            continue
        said[str(key)] = _sayable(str(key), value)
    if not said:
        return ""
    try:
        return f',"m":{_encode_json(said)}'
    except ValueError:
        bad = next(key for key, value in said.items() if not _is_finite(value))
        raise DoraError("METADATA_INVALID", f'metadata "{bad}" is no finite number') from None


def _sayable(key: str, value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is int or kind is float or kind is bool:
        return value
    if isinstance(value, (list, tuple)):
        return [_scalar(key, each) for each in value]
    return _scalar(key, value)


def _scalar(key: str, value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return _scalar(key, value.item())  # A number of numpy's.
    name = type(value).__name__
    message = f'metadata "{key}" is of type {name}, which cannot be sent: give bool, int, float, str or lists of these'
    raise DoraError("METADATA_INVALID", message)


def _is_finite(value: Any) -> bool:
    try:
        _encode_json(value)
    except ValueError:
        return False
    return True
