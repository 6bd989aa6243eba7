"""Sends as src/runtime/bench/sender-node.ts does. Runs unchanged beneath dora-rs and beneath ours."""

import json
import os
import time

import numpy
import pyarrow
from dora import Node

WARM_UP_MESSAGES = 20
PACE_S = 0.005
ARRIVAL_TIMEOUT_S = 10.0

plan = json.loads(os.environ["DORA_BENCH_PLAN"])
node = Node()


def arrival(step, index):
    """Returns whether the receiver tells of this message in time."""
    deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
    while time.monotonic() < deadline:
        event = node.next(timeout=deadline - time.monotonic())
        if event is None or event["type"] != "INPUT":
            continue
        metadata = event["metadata"]
        if metadata["step"] == step and metadata["index"] == index:
            return


# As in dora-rs's own benchmark: beneath it a receiver may subscribe late.
time.sleep(1)
for step, work in enumerate(plan["steps"]):
    payload = pyarrow.array(numpy.full(work["sizeBytes"], 7, dtype=numpy.uint8))

    def send(index, tell):
        stamp = {"step": step, "index": index, "sentNs": time.monotonic_ns(), "tell": tell}
        node.send_output("data", payload, stamp)

    for index in range(-WARM_UP_MESSAGES, 0):
        send(index, True)
        arrival(step, index)
    for index in range(work["messages"]):
        is_last = index == work["messages"] - 1
        if plan["mode"] == "latency":
            time.sleep(PACE_S)
        send(index, is_last or plan["mode"] == "latency")
        if is_last or plan["mode"] == "latency":
            arrival(step, index)
