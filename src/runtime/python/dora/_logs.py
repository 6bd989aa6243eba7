"""Records of the node's own, and those of Python's `logging`, with the trace of the message that is being handled."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from typing import Any, Callable, Dict, Optional

from ._event import Message

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")

# A longer record loses its attributes, and then its message's end.
_RECORD_CHARACTERS_MAX = 256 * 1024

# What every `logging.LogRecord` has; the rest was given as `extra`.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class NodeLog:
    """Writes records to the dataflow's log. It never throws, and nothing waits for the daemon.

    Threads: any.
    """

    def __init__(
        self, current: Callable[[], Optional[Message]], send: Callable[[Dict[str, Any]], None]
    ) -> None:
        self._current = current
        self._send = send

    def write(
        self,
        level: str,
        message: str,
        logger: Optional[str] = None,
        attributes: Optional[Dict[str, Any]] = None,
        time_ns: Optional[int] = None,
    ) -> None:
        record: Dict[str, Any] = {
            "time": str(time.time_ns() if time_ns is None else time_ns),
            "level": level,
            "message": message[:_RECORD_CHARACTERS_MAX],
        }
        if logger:
            record["logger"] = logger
        event = self._current()
        if event is not None:
            record["traceId"] = event.trace_id
            record["spanId"] = event.span_id
        if attributes:
            said = {str(key): _plain(value) for key, value in attributes.items()}
            if len(json.dumps(said)) + len(message) <= _RECORD_CHARACTERS_MAX:
                record["attributes"] = said
        self._send({"type": "log", "records": [record]})

    def warn(self, message: str, **attributes: Any) -> None:
        self.write("warn", message, "dora", attributes)


class LogHandler(logging.Handler):
    """Sends the records of `logging` to the dataflow's log."""

    def __init__(self, log: NodeLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            attributes: Dict[str, Any] = {
                "code.file.path": record.pathname,
                "code.line.number": record.lineno,
                "code.function.name": record.funcName,
            }
            if record.threadName not in (None, threading.main_thread().name):
                attributes["thread.name"] = record.threadName
            for key, value in vars(record).items():
                if key not in _USUAL and not key.startswith("_dora"):
                    attributes[key] = value
            if record.exc_info and record.exc_info[1] is not None:
                attributes.update(_exception(record.exc_info[1]))
            name = None if record.name == "root" else record.name
            level, moment = level_of(record.levelno), int(record.created * 1e6) * 1000
            self._log.write(level, record.getMessage(), name, attributes, moment)
            record._dora_is_sent = True
        except Exception:
            self.handleError(record)


class LoggingBridge:
    """Puts a `LogHandler` first on the root logger. What it has sent, the root's handlers of standard output and error
    leave out, since that output becomes records too.

    `logging.basicConfig` does nothing where the root has handlers: while it runs, ours is away.
    """

    def __init__(self, log: NodeLog) -> None:
        self._handler = LogHandler(log)
        self._basic_config = logging.basicConfig
        logging.basicConfig = self._configure
        self._install()

    def remove(self) -> None:
        self._uninstall()
        if logging.basicConfig == self._configure:
            logging.basicConfig = self._basic_config

    def _configure(self, **options: Any) -> None:
        self._uninstall()
        try:
            self._basic_config(**options)
        finally:
            self._install()

    def _install(self) -> None:
        root = logging.getLogger()
        for other in root.handlers:
            if isinstance(other, logging.StreamHandler) and other.stream in _own_streams():
                other.addFilter(_is_unsent)
        root.handlers.insert(0, self._handler)

    def _uninstall(self) -> None:
        root = logging.getLogger()
        root.removeHandler(self._handler)
        for other in root.handlers:
            other.removeFilter(_is_unsent)


def level_of(number: int) -> str:
    if number >= logging.CRITICAL:
        return "fatal"
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    if number >= logging.INFO:
        return "info"
    return "debug" if number >= logging.DEBUG else "trace"


def _is_unsent(record: logging.LogRecord) -> bool:
    return not getattr(record, "_dora_is_sent", False)


def _own_streams() -> Any:
    return (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)


def _exception(error: BaseException) -> Dict[str, str]:
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return {
        "exception.type": type(error).__qualname__,
        "exception.message": str(error),
        "exception.stacktrace": "".join(lines),
    }


def _plain(value: Any) -> Any:
    """What JSON can say of it."""
    if isinstance(value, BaseException):
        return _exception(value)
    try:
        return json.loads(json.dumps(value, default=str, allow_nan=False))
    except (ValueError, TypeError, RecursionError):
        return str(value)
