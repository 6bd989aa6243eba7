"""What feeds a node's inputs: links, timers and time-outs."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Optional

from ._addresses import socket_endpoint
from ._errors import DoraError
from ._event import error_event
from ._events import EventStream, InputQueue
from ._inbox import ArrivingLink, Inbox
from ._links import Link, LocalLink
from ._scheduler import Alarm, IntervalTimer, Scheduler

TRANSPORTS = ("socket", "tcp")


class InputWatch:
    """Notices when nothing has come on an input for so long. What came and still waits is no silence of the sender."""

    def __init__(
        self, seconds: float, scheduler: Scheduler, queue: InputQueue, on_timeout: Callable[[], None]
    ) -> None:
        self._seconds = seconds
        self._scheduler = scheduler
        self._queue = queue
        self._on_timeout = on_timeout
        self._last = 0.0
        self._alarm: Optional[Alarm] = None
        self._is_started = False

    def start(self) -> None:
        self._is_started = True
        self.touch()

    def stop(self) -> None:
        self._is_started = False
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None

    def touch(self) -> None:
        """Something came."""
        self._last = time.monotonic()
        if self._is_started and self._alarm is None:
            self._alarm = self._scheduler.after(self._seconds, self._look)

    def _look(self) -> None:
        self._alarm = None
        if not self._is_started:
            return
        if self._queue.items:
            self.touch()
            return
        rest = self._last + self._seconds - time.monotonic()
        if rest > 0:
            self._alarm = self._scheduler.after(rest, self._look)
        else:
            self._on_timeout()  # The next message starts the watch again.


class _Input:
    """One input, and what feeds it."""

    def __init__(self, config: Dict[str, Any], queue: InputQueue) -> None:
        self.config = config
        self.queue = queue
        self.watch: Optional[InputWatch] = None
        self.timer: Optional[IntervalTimer] = None
        self.link: Optional[ArrivingLink] = None
        self.inbox: Optional[Inbox] = None


class Inputs:
    """Threads: those of the daemon's messages and the scheduler, one call at a time."""

    def __init__(
        self,
        config: Dict[str, Any],
        events: EventStream,
        scheduler: Scheduler,
        on_ended: Callable[[str], None],
        on_refused: Callable[[str], None],
    ) -> None:
        self._node = str(config["node"]["id"])
        self._run_directory = str(config["runDirectory"])
        self._token = str(config["linkToken"])
        self._events = events
        self._scheduler = scheduler
        self._on_ended = on_ended
        self._on_refused = on_refused
        self._inputs: Dict[str, _Input] = {}
        self._inboxes: Dict[str, Inbox] = {}
        self._is_running = False

    @property
    def configs(self) -> List[Dict[str, Any]]:
        return [each.config for each in list(self._inputs.values())]

    @property
    def addresses(self) -> List[Dict[str, str]]:
        """Where links arrive now."""
        return [
            {"transport": _kind_of(inbox.endpoint), "address": inbox.endpoint}
            for inbox in list(self._inboxes.values())
        ]

    @property
    def connections(self) -> int:
        return sum(inbox.connections for inbox in list(self._inboxes.values()))

    def check_transport(self, config: Dict[str, Any]) -> None:
        """Errors: `CONFIG_INVALID` for a transport that this library does not carry."""
        source = config["source"]
        if source["kind"] == "link":
            where = f"input {config['id']} of node {self._node}"
            check_transport(where, str(source["transport"]["kind"]))

    def add(self, config: Dict[str, Any]) -> None:
        """An input that cannot be opened is told as an event, and its senders will find nobody."""
        queue = self._events.add_input(config)
        each = _Input(config, queue)
        seconds = config.get("inputTimeoutMs")
        if seconds is not None:
            each.watch = InputWatch(
                float(seconds) / 1000,
                self._scheduler,
                queue,
                lambda: self._events.close_input(queue, "timeout"),
            )
        self._inputs[queue.id] = each
        source = config["source"]
        if source["kind"] == "timer":
            interval = float(source["intervalNs"])
            each.timer = IntervalTimer(interval, self._scheduler, lambda: self._tick(queue))
        elif source["kind"] == "link":
            self._accept(each, source)
        if self._is_running:
            self._start(each)

    def remove(self, input_id: str) -> None:
        each = self._inputs.pop(input_id, None)
        if each is None:
            return
        self._events.remove_input(each.queue)
        _hold(each)
        if each.link is not None and each.inbox is not None:
            each.inbox.forget(each.link)

    def start(self) -> None:
        self._is_running = True
        for each in list(self._inputs.values()):
            self._start(each)

    def pause(self) -> None:
        self._is_running = False
        for each in list(self._inputs.values()):
            _hold(each)

    def resume(self) -> None:
        self._is_running = True
        for each in list(self._inputs.values()):
            if each.watch is not None:
                each.watch.start()
            if each.timer is not None:
                each.timer.resume()

    def end(self, input_id: str) -> None:
        """An input's sender is gone. An id that is not known is passed over."""
        each = self._inputs.get(input_id)
        if each is None:
            return
        if each.watch is not None:
            each.watch.stop()
        self._events.close_input(each.queue, "ended")

    def end_all(self) -> bool:
        """Ends all, timers as well; false where there is none."""
        for input_id, each in list(self._inputs.items()):
            if each.timer is not None:
                each.timer.pause()
            self.end(input_id)
        return bool(self._inputs)

    def recover(self, input_id: str) -> None:
        each = self._inputs.get(input_id)
        if each is None:
            return
        if self._is_running and each.watch is not None:
            each.watch.start()
        self._events.recover(each.queue)

    def local_link(self, link_id: str, address: str, input_id: str) -> Link:
        """A link of this node to an input of its own."""

        def deliver(header: bytes, payload: bytes) -> None:
            each = self._inputs.get(input_id)
            if each is None:
                return
            if each.watch is not None:
                each.watch.touch()
            item = ("message", time.time_ns(), header, payload)
            self._events.receive_local(each.queue, item)

        def end() -> None:
            self.end(input_id)
            self._on_ended(input_id)

        return LocalLink(link_id, address, deliver, end)

    def entries(self, input_id: str, entries: List[str]) -> None:
        each = self._inputs.get(input_id)
        if each is None:
            return
        for entry in entries:
            self._events.receive(each.queue, ("entry", time.time_ns(), entry.encode(), None))

    def close(self) -> None:
        self.pause()
        for inbox in list(self._inboxes.values()):
            inbox.close()

    def _start(self, each: _Input) -> None:
        if each.watch is not None:
            each.watch.start()
        if each.timer is not None:
            each.timer.start()

    def _tick(self, queue: InputQueue) -> None:
        self._events.receive(queue, ("tick", time.time_ns(), None, None))

    def _accept(self, each: _Input, source: Dict[str, Any]) -> None:
        transport = source["transport"]
        try:
            self.check_transport(each.config)
            each.inbox = self._inbox(str(transport["kind"]), transport["options"])
        except DoraError as error:
            message = f"input {each.queue.id} cannot be received: {error}"
            self._events.tell(error_event(message, each.queue.id))
            return
        watch = each.watch

        each.link = ArrivingLink(
            each.queue,
            topic_of(str(source["link"]), transport),
            self._token,
            self._events,
            on_touch=_nothing if watch is None else watch.touch,
            # The daemon knows whether its sender comes again, and says `input-closed` if not.
            on_end=lambda: self._on_ended(each.queue.id),
        )
        each.inbox.accept(each.link)

    def _inbox(self, kind: str, options: Dict[str, Any]) -> Inbox:
        default = (
            socket_endpoint(self._run_directory, self._node)
            if kind == "socket"
            else "tcp://127.0.0.1:0"
        )
        endpoint = str(options.get("endpoint", default))
        found = self._inboxes.get(endpoint)
        if found is None:
            ring_folder = self._run_directory if kind == "socket" else None
            found = self._inboxes[endpoint] = Inbox(endpoint, ring_folder, self._on_refused)
        return found


def check_transport(where: str, kind: str) -> None:
    """Errors: `CONFIG_INVALID`."""
    if kind in TRANSPORTS:
        return
    message = (
        f"{where}: Python nodes do not carry the transport {kind}; give the link `transport: socket`,"
        " or `tcp` between machines, or put a JavaScript node between"
    )
    raise DoraError("CONFIG_INVALID", message)


def topic_of(link: str, transport: Dict[str, Any]) -> str:
    topic = transport["options"].get("topic")
    return topic if isinstance(topic, str) else link


def _kind_of(endpoint: str) -> str:
    return "socket" if endpoint.startswith("unix:") else "tcp"


def _hold(each: _Input) -> None:
    if each.watch is not None:
        each.watch.stop()
    if each.timer is not None:
        each.timer.pause()


def _nothing() -> None:
    return None
