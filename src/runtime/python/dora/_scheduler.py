"""One thread for everything that happens later: ticks, time-outs, reports."""

from __future__ import annotations

import heapq
import itertools
import math
import os
import threading
import time
import traceback
from typing import Callable, List, Optional, Tuple

Task = Callable[[], None]


class Alarm:
    """A task that is to run; `cancel` keeps it from running."""

    __slots__ = ("task",)

    def __init__(self, task: Task) -> None:
        self.task: Optional[Task] = task

    def cancel(self) -> None:
        self.task = None


class Scheduler:
    """Runs tasks at their time, one after the other, in a thread of its own. Tasks must not wait.

    Threads: any may call.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._due: List[Tuple[float, int, Alarm]] = []
        self._counter = itertools.count()
        self._thread: Optional[threading.Thread] = None

    def after(self, seconds: float, task: Task) -> Alarm:
        alarm = Alarm(task)
        due = time.monotonic() + seconds
        with self._changed:
            heapq.heappush(self._due, (due, next(self._counter), alarm))
            if self._due[0][2] is alarm:
                self._changed.notify()
            if self._thread is None:
                self._thread = start_thread("dora-scheduler", self._run)
        return alarm

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    rest = self._due[0][0] - time.monotonic() if self._due else None
                    self._changed.wait(rest)
                alarm = heapq.heappop(self._due)[2]
            task = alarm.task
            if task is None:
                continue
            try:
                task()
            except Exception:  # One task's fault must not end the others.
                traceback.print_exc()


class IntervalTimer:
    """Ticks at its start and then at whole intervals from it: a late tick makes the next one no later,
    and missed ones are skipped. Paused, it is silent; resumed, it goes on at the next whole interval."""

    def __init__(self, interval_ns: float, scheduler: Scheduler, on_tick: Task) -> None:
        self._interval = max(interval_ns, 1.0) / 1e9
        self._scheduler = scheduler
        self._on_tick = on_tick
        self._start: Optional[float] = None
        self._last_index = -1
        self._alarm: Optional[Alarm] = None

    def start(self) -> None:
        self._start = time.monotonic()
        self._wake()

    def pause(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None

    def resume(self) -> None:
        if self._start is None or self._alarm is not None:
            return
        self._last_index = self._index(self._start)
        self._set_alarm(self._start)

    def _wake(self) -> None:
        if self._start is None:
            return
        index = self._index(self._start)
        is_due = index > self._last_index
        self._last_index = index
        self._set_alarm(self._start)
        if is_due:
            self._on_tick()

    def _index(self, start: float) -> int:
        return max(self._last_index, math.floor((time.monotonic() - start) / self._interval))

    def _set_alarm(self, start: float) -> None:
        due = start + (self._last_index + 1) * self._interval
        self._alarm = self._scheduler.after(max(0.0, due - time.monotonic()), self._wake)


class Backoff:
    """Seconds between attempts: from 0.01, doubling, to 2; each between half and the whole of its step."""

    def __init__(self) -> None:
        self._step = 0.01

    def next_delay(self) -> float:
        delay = self._step * (0.5 + os.urandom(1)[0] / 512)
        self._step = min(self._step * 2, 2.0)
        return delay

    def reset(self) -> None:
        self._step = 0.01


def start_thread(name: str, run: Task) -> threading.Thread:
    """A thread that does not hold up the end of the process."""
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
