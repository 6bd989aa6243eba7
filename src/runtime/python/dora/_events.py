"""All that a node is told, in the order in which it is told."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple, Union

from ._event import Event, Message, error_event, event_fields, input_event, stop_event
from ._hops import HopRecorder

# How long a full queue holds its link before the oldest messages go: a burst is no slow handler.
_BURST_SECONDS = 0.01

# What waits on an input: bytes of header and payload, a tick, a record, or a notice.
Item = Tuple[str, int, Any, Any]


class InputQueue:
    """What waits on one input: at most `size` messages, and notices of its end and return among them.

    Threads: all fields belong to the stream's lock.
    """

    def __init__(self, config: Dict[str, Any], index: int) -> None:
        self.id = str(config["id"])
        self.index = index
        self.size = max(1, int(config["queueSize"]))
        self.is_link = config["source"]["kind"] == "link"
        self.is_dropping = config["queuePolicy"] != "backpressure" or not self.is_link
        self.items: Deque[Item] = deque()
        self.messages = 0
        self.received = 0
        self.dropped = 0
        # At the queue's end: what comes next is a return.
        self.closed_by: Optional[str] = None
        # At its front: the node was told that the input has ended.
        self.is_ended = False
        # It was full for the whole of a burst's time: until something is taken, the oldest go.
        self.is_overflowing = False

    def push(self, item: Item, older_than: Optional[int] = None) -> None:
        self.received += 1
        if self.is_dropping and self.messages >= self.size:
            self._drop_oldest(older_than)
        self.items.append(item)
        self.messages += 1

    def take(self) -> Optional[Item]:
        if not self.items:
            return None
        item = self.items.popleft()
        if item[0] != "notice":
            self.messages -= 1
            self.is_overflowing = False
        return item

    def _drop_oldest(self, older_than: Optional[int]) -> None:
        for index, item in enumerate(self.items):
            if item[0] != "notice":
                if older_than is not None and item[1] >= older_than:
                    return
                del self.items[index]
                self.messages -= 1
                self.dropped += 1
                return


Taken = Union[Event, Tuple[InputQueue, Item]]


class EventStream:
    """`stop` first, then what the daemon says, then the inputs by turns, one event of each that has any.

    Threads: any may tell; events are taken by one loop at a time.
    """

    def __init__(self, hops: HopRecorder) -> None:
        self._hops = hops
        self.lock = threading.Lock()
        self._ready = threading.Condition(self.lock)
        self._room = threading.Condition(self.lock)
        self._told: Deque[Event] = deque()
        self.queues: List[InputQueue] = []
        self._turn = 0
        self._indexes = 0
        self._stop: Optional[Event] = None
        self._state = "waiting"
        self._wakers: List[Callable[[], None]] = []
        self.current: Optional[Message] = None
        # Seconds that the loop has waited: what is left is its use of the thread.
        self.idle_seconds = 0.0

    @property
    def is_ended(self) -> bool:
        return self._state == "ended"

    @property
    def is_paused(self) -> bool:
        return self._state == "paused"

    def add_input(self, config: Dict[str, Any]) -> InputQueue:
        with self.lock:
            queue = InputQueue(config, self._indexes)
            self._indexes += 1
            self.queues.append(queue)
            return queue

    def remove_input(self, queue: InputQueue) -> None:
        with self.lock:
            self.queues = [each for each in self.queues if each is not queue]

    def resume(self) -> None:
        """Events begin; also after a pause."""
        with self.lock:
            if self._state != "ended":
                self._state = "open"
                self._wake()

    def pause(self) -> None:
        """From now on nothing but `stop` is given out."""
        with self.lock:
            if self._state == "open":
                self._state = "paused"

    def receive(self, queue: InputQueue, item: Item) -> None:
        with self.lock:
            self._receive(queue, item)
            self._wake()

    def receive_local(self, queue: InputQueue, item: Item) -> None:
        """From this node itself, which makes no room while it sends: only what was there before the message that it
        handles is dropped for it."""
        with self.lock:
            self._recover(queue)
            start = 0 if self.current is None else self.current.start_ns
            queue.push(item, start)
            self._wake()

    def deliver(self, queue: InputQueue, items: List[Item], connection: Any) -> None:
        """What a link brought; waits while the queue holds the link back. `connection.is_cut` ends it.

        `connection.took()` is called, with the lock held, for each that was taken.
        """
        with self.lock:
            for item in items:
                if connection.is_cut:
                    return
                self._receive(queue, item)
                connection.took()
                if queue.messages >= queue.size:
                    self._wait_for_room(queue, connection)
            self._wake()

    def wake_readers(self) -> None:
        with self.lock:
            self._room.notify_all()

    def recover(self, queue: InputQueue) -> None:
        with self.lock:
            self._recover(queue)
            self._wake()

    def close_input(self, queue: InputQueue, reason: str) -> None:
        """Nothing follows on an input, for now: told behind what waits there."""
        with self.lock:
            if queue.closed_by in (reason, "ended"):
                return
            queue.closed_by = reason
            event = Event(event_fields("INPUT_CLOSED", id=queue.id, reason=reason))
            queue.items.append(("notice", 0, event, reason))
            self._wake()

    def tell(self, event: Event) -> None:
        with self.lock:
            self._told.append(event)
            self._wake()

    def stop(self, event: Event) -> None:
        """The last event, before all that waits."""
        with self.lock:
            if self._state == "ended" or self._stop is not None:
                return
            self._stop = event
            self._wake()

    def end(self) -> None:
        """Ends without another event."""
        self.finish_current()
        with self.lock:
            self._state = "ended"
            self._wake(is_end=True)

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None at the end, or where none comes in so many seconds."""
        self.finish_current()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.lock:
            taken = self._take()
            while taken is None and self._state != "ended":
                start = time.monotonic()
                rest = None if deadline is None else deadline - start
                if rest is not None and rest <= 0:
                    return None
                self._ready.wait(rest)
                self.idle_seconds += time.monotonic() - start
                taken = self._take()
        return self._open(taken)

    def next_now(self) -> Optional[Event]:
        """The next event, where one is there."""
        self.finish_current()
        with self.lock:
            taken = self._take()
        return self._open(taken)

    def has_any(self) -> bool:
        """Whether `next` would give something at once."""
        with self.lock:
            if self._state == "ended":
                return False
            if self._stop is not None:
                return True
            waiting = bool(self._told) or any(queue.items for queue in self.queues)
            return self._state == "open" and waiting

    def call_when_ready(self, waker: Callable[[], None]) -> None:
        """Calls once, from any thread, when something comes or the stream ends; at once where that is so."""
        if self.has_any() or self.is_ended:
            waker()
            return
        with self.lock:
            self._wakers.append(waker)
        if self.has_any() or self.is_ended:
            waker()

    def finish_current(self) -> None:
        """What was being handled was handled."""
        message, self.current = self.current, None
        if message is None:
            return
        self._hops.handled(
            port=message.queue.index,
            is_failed=message.is_failed,
            size=message.size,
            trace_id=message.trace_id,
            span_id=message.span_id,
            parent=message.context.span_id if message.context is not None else "",
            start=message.start_ns,
            end=time.time_ns(),
            sent=message.sent_ns,
            received=message.received_ns,
        )

    def _receive(self, queue: InputQueue, item: Item) -> None:
        """On an input that was closed, its return is told before."""
        self._recover(queue)
        queue.push(item)

    def _recover(self, queue: InputQueue) -> None:
        if queue.closed_by is None:
            return
        queue.closed_by = None
        event = Event(event_fields("INPUT_RECOVERED", id=queue.id))
        queue.items.append(("notice", 0, event, "recovered"))

    def _wait_for_room(self, queue: InputQueue, connection: Any) -> None:
        self._wake()
        if not queue.is_dropping:
            while queue.messages > queue.size / 2 and not connection.is_cut:
                self._room.wait()
            return
        if queue.is_overflowing:
            return
        deadline = time.monotonic() + _BURST_SECONDS
        while queue.messages >= queue.size and not connection.is_cut:
            rest = deadline - time.monotonic()
            if rest <= 0 or not self._room.wait(rest):
                break
        queue.is_overflowing = queue.messages >= queue.size

    def _wake(self, is_end: bool = False) -> None:
        if is_end:
            self._ready.notify_all()
        else:
            self._ready.notify()
        if self._wakers:
            wakers, self._wakers = self._wakers, []
            for waker in wakers:
                waker()

    def _take(self) -> Optional[Taken]:
        if self._state == "ended":
            return None
        if self._stop is not None:
            self._state = "ended"
            return self._stop
        if self._state != "open":
            return None
        if self._told:
            return self._told.popleft()
        return self._take_input()

    def _take_input(self) -> Optional[Taken]:
        queues = self.queues
        for step in range(len(queues)):
            index = (self._turn + step) % len(queues)
            queue = queues[index]
            item = queue.take()
            if item is None:
                continue
            self._turn = index + 1
            if queue.is_link:
                self._room.notify_all()
            if item[0] != "notice":
                return queue, item
            if item[3] != "timeout":
                queue.is_ended = item[3] == "ended"
            # A timer goes on for ever, and so does the stream of a dataflow's records.
            if self._stop is None and all(each.is_ended for each in queues):
                self._stop = stop_event("ALL_INPUTS_CLOSED", 0.0)
            notice: Event = item[2]
            return notice
        return None

    def _open(self, taken: Optional[Taken]) -> Optional[Event]:
        if taken is None or isinstance(taken, Event):
            return taken
        queue, item = taken
        try:
            event = input_event(queue, item)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            return error_event(f"a message was lost: {error}", queue.id)
        self.current = event._message
        return event
