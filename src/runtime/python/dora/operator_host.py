"""Runs the Python operators of a node in one process: `python3 -u -m dora.operator_host`, started by a daemon.

Operators take turns: an event at a time, in one thread. docs/python.md "Operators".
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from typing import Any, Callable, Dict, List, Optional

from . import DoraError, DoraStatus, Node
from ._event import Event

SendOutput = Callable[..., None]


class HostedOperator:
    """One operator: the instance of its class `Operator`, and the names of its ports."""

    def __init__(self, node: Node, config: Dict[str, Any]) -> None:
        self.id = str(config["id"])
        self.inputs = {str(port): self._local(port) for port in config["inputs"]}
        self.outputs = {self._local(port): str(port) for port in config["outputs"]}
        self._source = str(config["source"])
        self._node = node
        self.is_stopped = False
        self._instance = self._load()

    def handle(self, event: Event) -> DoraStatus:
        """Errors: whatever the operator raises; `TypeError` for an answer that is no `DoraStatus`."""
        answer = self._instance.on_event(event, self._send)
        if answer is None:
            return DoraStatus.CONTINUE
        try:
            return DoraStatus(int(answer))
        except (TypeError, ValueError):
            message = f"on_event of operator {self.id} returned {answer!r}: return a DoraStatus"
            raise TypeError(message) from None

    def reload(self) -> None:
        """Loads the file again; the new instance has the old one's attributes. Errors: whatever the file raises."""
        instance = self._load()
        instance.__dict__.update(self._instance.__dict__)
        self._instance = instance

    def stop(self) -> None:
        self.is_stopped = True
        self._node.close_outputs(*self.outputs.values())

    def _local(self, port: Any) -> str:
        prefix = f"{self.id}/"
        return str(port)[len(prefix) :] if str(port).startswith(prefix) else str(port)

    def _send(self, output_id: str, data: Any = None, metadata: Optional[Dict[str, Any]] = None) -> None:
        output = self.outputs.get(output_id)
        if output is None:
            known = ", ".join(self.outputs) or "none"
            message = f'operator {self.id} has no output "{output_id}"; it has {known}'
            raise DoraError("OUTPUT_UNKNOWN", message)
        self._node.send_output(output, data, metadata)

    def _load(self) -> Any:
        folder = os.path.dirname(self._source)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        name = f"dora_operator_{self.id}"
        spec = importlib.util.spec_from_file_location(name, self._source)
        if spec is None or spec.loader is None:
            raise DoraError("CONFIG_INVALID", f"{self._source} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        operator = getattr(module, "Operator", None)
        if operator is None or not hasattr(operator, "on_event"):
            message = f"{self._source} has no class Operator with a method on_event"
            raise DoraError("CONFIG_INVALID", message)
        instance = operator()
        instance.dataflow_descriptor = self._node.dataflow_descriptor()
        return instance


def run(node: Node, operators: List[HostedOperator]) -> None:
    """Until `STOP`, or no operator goes on. Errors: of the operator that failed first."""
    for event in node:
        if event["type"] == "RELOAD":
            _reload(node, operators, event["operator_id"])
            continue
        for operator in operators:
            if operator.is_stopped or not _is_meant(operator, event):
                continue
            if _handle(node, operator, event) == DoraStatus.STOP_ALL:
                return
        if all(operator.is_stopped for operator in operators):
            return


def _is_meant(operator: HostedOperator, event: Event) -> bool:
    """What is not about an input is told to all."""
    is_of_input = event["type"] in ("INPUT", "INPUT_CLOSED", "INPUT_RECOVERED")
    return not is_of_input or event["id"] in operator.inputs


def _handle(node: Node, operator: HostedOperator, event: Event) -> DoraStatus:
    port = event.get("id")
    if port in operator.inputs:
        event["id"] = operator.inputs[port]
    try:
        status = operator.handle(event)
    except Exception as error:
        fields = {
            "dora.operator.id": operator.id,
            "exception.type": type(error).__qualname__,
            "exception.message": str(error),
            "exception.stacktrace": traceback.format_exc(),
        }
        node.log("error", f"operator {operator.id} failed: {error}", "dora.operator", fields)
        raise
    if status == DoraStatus.STOP:
        operator.stop()
    return status


def _reload(node: Node, operators: List[HostedOperator], operator_id: Optional[str]) -> None:
    for operator in operators:
        if operator_id not in (None, operator.id):
            continue
        try:
            operator.reload()
            node.log("info", f"operator {operator.id} was loaded again", "dora.operator")
        except Exception:
            # The old code goes on: a slip of the pen must not end a dataflow.
            fields = {"exception.stacktrace": traceback.format_exc()}
            message = f"operator {operator.id} could not be loaded again; the old one goes on"
            node.log("error", message, "dora.operator", fields)


def main() -> None:
    node = Node()
    if not node.operators:
        raise DoraError("CONFIG_INVALID", f"node {node.id} has no operators")
    run(node, [HostedOperator(node, config) for config in node.operators])
    node.close()


if __name__ == "__main__":
    main()
