"""Connects a Python program to the dataflow that it is a node of, with dora-rs's API: docs/python.md."""

from datetime import datetime
from enum import IntEnum
from types import TracebackType
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Type, TypedDict, Union

Scalar = Union[bool, int, float, str]
MetadataValue = Union[Scalar, Sequence[Scalar], datetime]
Metadata = Mapping[str, MetadataValue]

class Event(TypedDict, total=False):
    """One event. `type` says which of the others are there: the table in docs/python.md."""

    type: str
    kind: str
    id: str
    value: Any
    """A `pyarrow.Array`; without pyarrow, a `memoryview` of bytes."""
    metadata: Dict[str, Any]
    reason: str
    error: str
    grace: float
    inputs: List[str]
    set: Dict[str, Any]
    deleted: List[str]
    parameters: Dict[str, Any]
    operator_id: Optional[str]

class DoraError(RuntimeError):
    """A failure of the dataflow or its use. `code` is one of docs/errors.md."""

    code: str
    def __init__(self, code: str, message: str) -> None: ...

class DoraStatus(IntEnum):
    """What an operator's `on_event` returns."""

    CONTINUE = 0
    STOP = 1
    STOP_ALL = 2

class Node:
    """Takes events, and sends messages on its outputs.

    Threads: any may send and log; events are taken by one loop.
    """

    def __init__(self, node_id: Optional[str] = None, *, dataflow: str = "") -> None:
        """Connects this process to its daemon; returns once all nodes of the dataflow can receive.

        `node_id` connects a dynamic node that was started by hand; `dataflow` is then the name or id of its
        dataflow, which may be left out where only one runs.
        """

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None at the end, or where none comes in `timeout` seconds."""

    def try_recv(self) -> Optional[Event]:
        """The next event, where one is there already."""

    def drain(self) -> List[Event]:
        """All events that are there already."""

    async def recv_async(self, timeout: Optional[float] = None) -> Optional[Event]:
        """As `next`, for asyncio; raises `asyncio.TimeoutError` where none comes in `timeout` seconds."""

    def is_empty(self) -> bool:
        """Whether no event is there."""

    def __iter__(self) -> Iterator[Event]: ...
    def __next__(self) -> Event: ...
    def send_output(
        self, output_id: str, data: Any = None, metadata: Optional[Metadata] = None
    ) -> None:
        """Sends to every input that is linked to the output; returns once each link has taken it.

        `data` is bytes, a pyarrow array or table, a numpy array, or None.
        """

    def send_service_request(
        self, output_id: str, data: Any = None, metadata: Optional[Metadata] = None
    ) -> str:
        """Sends with a new `request_id`, and returns it."""

    def send_service_response(
        self, output_id: str, data: Any = None, metadata: Optional[Metadata] = None
    ) -> None:
        """Sends with the `request_id` of the request's metadata."""

    def send_output_raw(self, *arguments: Any, **options: Any) -> Any:
        """Not supported."""

    def close_outputs(self, *output_ids: Union[str, Sequence[str]]) -> None:
        """Ends outputs: their receivers are told, once they have everything."""

    def log(
        self,
        level: str,
        message: str,
        target: Optional[str] = None,
        fields: Optional[Dict[str, Any]] = None,
    ) -> None:
        """Writes a record, with the trace of the message that is being handled."""

    def log_error(self, message: str, target: Optional[str] = None) -> None: ...
    def log_warn(self, message: str, target: Optional[str] = None) -> None: ...
    def log_info(self, message: str, target: Optional[str] = None) -> None: ...
    def log_debug(self, message: str, target: Optional[str] = None) -> None: ...
    def log_trace(self, message: str, target: Optional[str] = None) -> None: ...
    @property
    def id(self) -> str: ...
    @property
    def parameters(self) -> Dict[str, Any]:
        """As they are now; a change is also told as an event."""

    @property
    def operators(self) -> List[Dict[str, Any]]:
        """What the daemon said of this node's operators."""

    def dataflow_id(self) -> str: ...
    def node_config(self) -> Dict[str, Any]:
        """What the daemon said of this node: `id`, `name`, `inputs`, `outputs`, `parameters`."""

    def dataflow_descriptor(self) -> Dict[str, Any]:
        """The dataflow, as far as a node is told of it: its id and name, and this node."""

    def timestamp(self) -> datetime:
        """Now, in UTC."""

    def is_restart(self) -> bool: ...
    def restart_count(self) -> int: ...
    def merge_external_events(self, *subscriptions: Any) -> None:
        """Not supported."""

    def close(self) -> None:
        """Brings what was sent to its receivers, and ends the node; called at the process's end too."""

    def __enter__(self) -> "Node": ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None: ...
