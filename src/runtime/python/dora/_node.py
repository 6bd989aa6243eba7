"""A node of a dataflow."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional

from . import _values
from ._daemon import DaemonEvents, DaemonLink, Message
from ._errors import DoraError
from ._event import Event, error_event, stop_event, told_event
from ._events import EventStream
from ._hops import HopRecorder
from ._inputs import Inputs
from ._logs import LEVELS, LoggingBridge, NodeLog
from ._outputs import Outputs
from ._place import find_place
from ._scheduler import Alarm, Scheduler, start_thread

if TYPE_CHECKING:
    import asyncio

_CLOSE_SECONDS = 5.0
# Of the time that the daemon grants for the end, what the last messages get.
_CLOSE_SHARE = 0.8
_GAUGES_SECONDS = 1.0

_STOP_CAUSES = {"manual": "MANUAL", "all-inputs-closed": "ALL_INPUTS_CLOSED"}


class Node:
    """Takes events, and sends messages on its outputs: docs/python.md.

    Threads: any may send and log; events are taken by one loop.
    """

    def __init__(self, node_id: Optional[str] = None, *, dataflow: str = "") -> None:
        """Connects this process to its daemon; returns once all nodes of the dataflow can receive.

        `node_id` connects a dynamic node that was started by hand; `dataflow` is then the name or id of its
        dataflow, which may be left out where only one runs.
        Errors: `DAEMON_UNREACHABLE`, `NODE_REFUSED`, `CONFIG_INVALID` for a transport that Python does not carry.
        """
        self._pid = os.getpid()
        self._scheduler = Scheduler()
        path, hello = find_place(node_id, dataflow)
        self._daemon = DaemonLink(path, hello, self._scheduler)
        self._config = self._daemon.open()
        self._problem: Optional[DoraError] = None
        self._is_started = threading.Event()
        self._is_starting = False
        self._closing = threading.Lock()
        self._is_closed = False
        self._is_crashed = False
        self._end_time: Optional[float] = None
        self._give_up: Optional[Alarm] = None
        self._last_gauges = time.monotonic()
        self._last_idle = 0.0
        self._untold_losses = 0
        self._told_unconfirmed = 0
        self._hops = HopRecorder(self._scheduler, self._daemon.try_send_hops)
        self._events = EventStream(self._hops)
        self._log = NodeLog(lambda: self._events.current, self._daemon.send)
        try:
            self._parameters: Dict[str, Any] = dict(self._config["parameters"])
            self._inputs = Inputs(
                self._config,
                self._events,
                self._scheduler,
                on_ended=lambda each: self._daemon.send({"type": "input-closed", "input": each}),
                on_refused=lambda why: self._log.warn(
                    f"a connection to this node was turned away: {why}"
                ),
            )
            self._outputs = Outputs(
                self._config,
                self._hops,
                self._inputs.local_link,
                self._link_failed,
            )
            for config in self._config["inputs"]:
                self._inputs.check_transport(config)
            for config in self._config["inputs"]:
                self._inputs.add(config)
        except (KeyError, TypeError, ValueError) as error:
            self._daemon.close(0)
            message = f"the daemon described this node in a way that makes no sense: {error!r}"
            raise DoraError("NODE_PROTOCOL", message) from None
        except DoraError:
            self._daemon.close(0)
            raise
        if any(config["source"]["kind"] == "link" for config in self._config["inputs"]):
            _values.preload()
        self._daemon.listen(_Listener(self))
        self._say_listening()
        self._scheduler.after(_GAUGES_SECONDS, self._report)
        self._is_started.wait()
        if self._problem is not None:
            self._is_closed = True
            self._inputs.close()
            self._daemon.close(1.0)
            raise self._problem
        self._bridge = LoggingBridge(self._log)
        self._hook = sys.excepthook
        sys.excepthook = self._on_crash
        atexit.register(self.close)

    # Events

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None at the end, or where none comes in `timeout` seconds. What was given out before counts
        as handled."""
        return self._events.next(timeout)

    def try_recv(self) -> Optional[Event]:
        """The next event, where one is there already."""
        return self._events.next_now()

    def drain(self) -> List[Event]:
        """All events that are there already."""
        events = []
        event = self._events.next_now()
        while event is not None:
            events.append(event)
            event = self._events.next_now()
        return events

    async def recv_async(self, timeout: Optional[float] = None) -> Optional[Event]:
        """As `next`, for asyncio. Errors: `asyncio.TimeoutError` where none comes in `timeout` seconds."""
        import asyncio  # 40 ms that most nodes need not pay.

        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            event = self._events.next_now()
            if event is not None or self._events.is_ended:
                return event
            ready: "asyncio.Future[None]" = loop.create_future()
            self._events.call_when_ready(lambda: _settle_soon(loop, ready))
            rest = None if deadline is None else max(0.0, deadline - time.monotonic())
            await asyncio.wait_for(ready, rest)

    def is_empty(self) -> bool:
        """Whether no event is there."""
        return not self._events.has_any()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self._events.next()
        if event is None:
            raise StopIteration
        return event

    # Sending

    def send_output(
        self, output_id: str, data: Any = None, metadata: Optional[Dict[str, Any]] = None
    ) -> None:
        """Sends to every input that is linked to the output; returns once each link has taken it.

        `data` is bytes, a pyarrow array or table, a numpy array, or None; its memory may be used again after the call.
        Errors: `OUTPUT_UNKNOWN`, `METADATA_INVALID`, `VALUE_UNSUPPORTED`, `FORMAT_MISMATCH`, `MESSAGE_TOO_LARGE`,
                `NODE_CLOSED`.
        """
        current = self._events.current
        parent = None if current is None else current.as_parent
        self._outputs.send(output_id, data, metadata, parent)

    def send_service_request(
        self, output_id: str, data: Any = None, metadata: Optional[Dict[str, Any]] = None
    ) -> str:
        """Sends with a new `request_id`, and returns it."""
        import uuid

        request_id = str(uuid.uuid4())
        self.send_output(output_id, data, {**(metadata or {}), "request_id": request_id})
        return request_id

    def send_service_response(
        self, output_id: str, data: Any = None, metadata: Optional[Dict[str, Any]] = None
    ) -> None:
        """Sends with the `request_id` of the request's metadata. Errors: `METADATA_INVALID` where there is none."""
        if not metadata or "request_id" not in metadata:
            message = 'the response\'s metadata have no "request_id": give those of the request'
            raise DoraError("METADATA_INVALID", message)
        self.send_output(output_id, data, metadata)

    def send_output_raw(self, *_: Any, **__: Any) -> Any:
        """Not supported: `send_output` sends numpy arrays and memoryviews without a copy."""
        message = "send_output_raw is not supported; send_output takes a memoryview without a copy"
        raise NotImplementedError(message)

    def close_outputs(self, *output_ids: Any) -> None:
        """Ends outputs, given by their ids or in a list: their receivers are told, once they have everything."""
        given = [each for ids in output_ids for each in ([ids] if isinstance(ids, str) else ids)]
        self._outputs.close(given, self._close_budget())
        self._daemon.send({"type": "outputs-closed", "outputs": given})

    # Logging

    def log(
        self,
        level: str,
        message: str,
        target: Optional[str] = None,
        fields: Optional[Dict[str, Any]] = None,
    ) -> None:
        """Writes a record, with the trace of the message that is being handled. Errors: `ValueError` for a level that there is not."""
        name = {"warning": "warn", "critical": "fatal"}.get(level.lower(), level.lower())
        if name not in LEVELS:
            raise ValueError(f'there is no level "{level}": give one of {", ".join(LEVELS)}')
        self._log.write(name, str(message), target, fields)

    def log_error(self, message: str, target: Optional[str] = None) -> None:
        self.log("error", message, target)

    def log_warn(self, message: str, target: Optional[str] = None) -> None:
        self.log("warn", message, target)

    def log_info(self, message: str, target: Optional[str] = None) -> None:
        self.log("info", message, target)

    def log_debug(self, message: str, target: Optional[str] = None) -> None:
        self.log("debug", message, target)

    def log_trace(self, message: str, target: Optional[str] = None) -> None:
        self.log("trace", message, target)

    # About the node

    @property
    def id(self) -> str:
        return str(self._config["node"]["id"])

    @property
    def parameters(self) -> Dict[str, Any]:
        """As they are now; a change is also told as an event."""
        return self._parameters

    @property
    def operators(self) -> List[Dict[str, Any]]:
        """What the daemon said of this node's operators: `id`, `source`, `inputs`, `outputs`."""
        return list(self._config["operators"])

    def dataflow_id(self) -> str:
        return str(self._config["dataflow"]["id"])

    def node_config(self) -> Dict[str, Any]:
        """What the daemon said of this node: `id`, `name`, `inputs`, `outputs`, `parameters`."""
        node = self._config["node"]
        return {
            "id": node["id"],
            "name": node["name"],
            "inputs": {config["id"]: _describe_input(config) for config in self._inputs.configs},
            "outputs": self._outputs.ids,
            "parameters": dict(self._parameters),
        }

    def dataflow_descriptor(self) -> Dict[str, Any]:
        """The dataflow, as far as a node is told of it: its id and name, and this node."""
        return {**self._config["dataflow"], "nodes": [self.node_config()]}

    def timestamp(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(timezone.utc)

    def restart_count(self) -> int:
        """How often the daemon started this node again; 0 of one that was started by hand."""
        return int(os.environ.get("DORA_RESTART_COUNT", "0"))

    def is_restart(self) -> bool:
        return self.restart_count() > 0

    def merge_external_events(self, *_: Any) -> None:
        """Not supported."""
        message = (
            "merge_external_events is not supported: there is no ROS 2 bridge;"
            " take the other events in a thread, or use recv_async beside them"
        )
        raise NotImplementedError(message)

    # The end

    def close(self) -> None:
        """Ends the node: what was sent is brought to its receivers, within the time that the daemon grants or 5 s,
        then the daemon is told. Called at the process's end too; safe to call twice. A node that leaves by an error
        tells nobody that it has ended: the daemon does, or starts it again."""
        if os.getpid() != self._pid:
            return  # A fork has the node's sockets, and not its threads.
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        atexit.unregister(self.close)
        self._bridge.remove()
        if sys.excepthook == self._on_crash:
            sys.excepthook = self._hook
        budget = self._close_budget()
        self._events.end()
        self._inputs.pause()
        self._outputs.close_all(0 if self._is_crashed else budget)
        if not self._is_crashed:
            self._daemon.send({"type": "outputs-closed", "outputs": []})
        self._hops.flush()
        self._say_gauges()
        self._tell_unconfirmed()
        if not self._is_crashed:
            self._daemon.send({"type": "finished"})
        self._inputs.close()
        self._daemon.close(_CLOSE_SECONDS)

    def __enter__(self) -> "Node":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self._crash()
        self.close()

    def __repr__(self) -> str:
        return f"<dora.Node {self.id} of dataflow {self.dataflow_id()}>"

    def _close_budget(self) -> float:
        if self._end_time is None:
            return _CLOSE_SECONDS
        return max(0.0, (self._end_time - time.monotonic()) * _CLOSE_SHARE)

    def _on_crash(self, kind: Any, error: Any, trace: Any) -> None:
        self._crash()
        self._hook(kind, error, trace)

    def _crash(self) -> None:
        self._is_crashed = True
        current = self._events.current
        if current is not None:
            current.is_failed = True

    # What the daemon says

    def _say_listening(self) -> None:
        self._daemon.send({"type": "listening", "inboxes": self._inputs.addresses})

    def _take(self, message: Message) -> None:
        kind = message["type"]
        if kind == "connect":
            problem = self._outputs.connect(message["links"])
            if problem is not None and not self._is_started.is_set():
                self._problem = problem
                self._is_started.set()
        elif kind == "disconnect":
            self._outputs.disconnect(message["links"])
        elif kind == "start":
            if not self._is_starting:
                self._is_starting = True
                start_thread("dora-start", self._start)
        elif kind == "stop":
            self._take_stop(str(message["reason"]), float(message["graceMs"]) / 1000)
        elif kind == "pause":
            self._inputs.pause()
            self._events.pause()
        elif kind == "resume":
            self._inputs.resume()
            self._events.resume()
        elif kind == "parameters":
            self._set_parameters(dict(message["set"]), list(message["deleted"]))
        elif kind == "input-added":
            self._inputs.add(message["input"])
            self._say_listening()
        elif kind == "input-removed":
            self._inputs.remove(message["input"])
        elif kind == "input-closed":
            self._inputs.end(message["input"])
        elif kind == "input-recovered":
            self._inputs.recover(message["input"])
        elif kind == "logs":
            self._inputs.entries(message["input"], message["entries"])
        else:
            self._tell(kind, message)

    def _tell(self, kind: str, message: Message) -> None:
        if kind == "node-failed":
            fields = {"inputs": message["inputs"], "error": message["message"]}
            self._events.tell(told_event("NODE_FAILED", id=message["node"], **fields))
        elif kind == "node-restarted":
            self._events.tell(told_event("NODE_RESTARTED", id=message["node"]))
        elif kind == "reload":
            self._events.tell(told_event("RELOAD", operator_id=message.get("operator")))
        elif kind == "garbage":
            raise ValueError("it is no JSON object")
        # A message of a type that is not known here is passed over.

    def _start(self) -> None:
        self._outputs.wait_until_settled()
        self._inputs.start()
        self._events.resume()
        self._is_started.set()

    def _take_stop(self, reason: str, grace: float) -> None:
        if reason == "all-inputs-closed" and self._inputs.end_all():
            return
        self._stop(_STOP_CAUSES[reason], grace)

    def _stop(self, cause: str, grace: float) -> None:
        self._end_time = time.monotonic() + grace
        self._inputs.pause()
        self._events.stop(stop_event(cause, grace))
        self._is_started.set()
        # A receiver that is gone, or does not read, must not hold up the end of this node.
        for link in self._outputs.links:
            link.stop_waiting_for_lost()
        if self._give_up is None:
            self._give_up = self._scheduler.after(grace / 2, self._give_up_all)

    def _give_up_all(self) -> None:
        for link in self._outputs.links:
            link.give_up()

    def _set_parameters(self, changed: Dict[str, Any], deleted: List[str]) -> None:
        kept = {key: value for key, value in self._parameters.items() if key not in deleted}
        self._parameters = {**kept, **changed}
        fields = {"set": changed, "deleted": deleted, "parameters": self._parameters}
        self._events.tell(told_event("PARAM_UPDATE", **fields))

    def _link_failed(self, link: str, message: str) -> None:
        self._daemon.send({"type": "link-failed", "link": link, "message": message})
        self._events.tell(error_event(f"link {link} is not there: {message}"))

    # What the daemon is told each second

    def _report(self) -> None:
        if self._is_closed:
            return
        self._scheduler.after(_GAUGES_SECONDS, self._report)
        self._say_gauges()
        self._tell_unconfirmed()
        lost = self._daemon.dropped + self._hops.dropped
        if lost != self._untold_losses:
            self._untold_losses = lost
            self._log.warn(
                "telemetry of this node was lost: its daemon did not take it",
                messages=self._daemon.dropped,
                hops=self._hops.dropped,
            )

    def _tell_unconfirmed(self) -> None:
        meant = {output: count for output, count in self._outputs.unconfirmed.items() if count > 0}
        unconfirmed = sum(meant.values())
        if unconfirmed != self._told_unconfirmed:
            self._log.warn(
                "messages may be lost: a receiver went away before it had confirmed them",
                messages=unconfirmed - self._told_unconfirmed,
                outputs=", ".join(meant),
            )
            self._told_unconfirmed = unconfirmed

    def _say_gauges(self) -> None:
        now, idle = time.monotonic(), self._events.idle_seconds
        elapsed = now - self._last_gauges
        use = 0.0 if elapsed <= 0 else 1 - (idle - self._last_idle) / elapsed
        self._last_gauges, self._last_idle = now, idle
        queues = [
            {
                "input": queue.id,
                "queued": queue.messages,
                "received": queue.received,
                "dropped": queue.dropped,
            }
            for queue in self._events.queues
        ]
        gauges = {
            "eventLoopUtilization": min(1.0, max(0.0, use)),
            "connections": self._inputs.connections + self._outputs.connections,
            "inputs": queues,
            "outputs": [
                {"output": output, "unconfirmed": count}
                for output, count in self._outputs.unconfirmed.items()
            ],
        }
        self._daemon.try_send({"type": "gauges", "gauges": gauges})


class _Listener(DaemonEvents):
    """What the daemon's thread calls; no part of the node's own interface."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def on_message(self, message: Message) -> None:
        self._node._take(message)

    def on_reconnected(self) -> None:
        self._node._say_listening()

    def on_refused(self) -> None:
        self._node._stop("DAEMON_LOST", _CLOSE_SECONDS)

    def on_fault(self, message: str) -> None:
        self._node._log.warn(message)


def _describe_input(config: Dict[str, Any]) -> Dict[str, Any]:
    source = config["source"]
    if source["kind"] == "link":
        text = f"{source['node']}/{source['output']}"
    elif source["kind"] == "timer":
        text = f"dora/timer/nanos/{source['intervalNs']}"
    else:
        text = f"dora/logs/{source['level']}"
    return {"source": text, "queue_size": config["queueSize"], "queue_policy": config["queuePolicy"]}


def _settle_soon(loop: asyncio.AbstractEventLoop, ready: "asyncio.Future[None]") -> None:
    try:
        loop.call_soon_threadsafe(_settle, ready)
    except RuntimeError:
        return  # The loop is closed: nobody waits.


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
