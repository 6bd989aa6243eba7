"""Receives as src/runtime/bench/receiver-node.ts does. Runs unchanged beneath dora-rs and beneath ours."""

import json
import math
import os
import time

from dora import Node

plan = json.loads(os.environ["DORA_BENCH_PLAN"])
node = Node()
tallies = [{"latencies": [], "seen": set(), "first": None, "last": None} for _ in plan["steps"]]


def percentile(latencies, share):
    """The nearest rank."""
    return latencies[max(0, math.ceil(len(latencies) * share) - 1)] if latencies else 0


for event in node:
    if event["type"] == "STOP":
        break
    if event["type"] != "INPUT":
        continue
    arrived_ns = time.monotonic_ns()
    stamp = event["metadata"]
    step, index = stamp["step"], stamp["index"]
    tally = tallies[step]
    if index >= 0 and index not in tally["seen"]:
        assert len(event["value"]) == plan["steps"][step]["sizeBytes"]
        tally["seen"].add(index)
        tally["latencies"].append((arrived_ns - stamp["sentNs"]) / 1000)
        tally["first"] = min(tally["first"] or stamp["sentNs"], stamp["sentNs"])
        tally["last"] = arrived_ns
    if stamp["tell"]:
        node.send_output("arrived", b"", {"step": step, "index": index})

lines = []
for step, tally in enumerate(tallies):
    latencies = sorted(tally["latencies"])
    shares = {"p50Us": 0.5, "p95Us": 0.95, "p99Us": 0.99, "p999Us": 0.999}
    result = {name: percentile(latencies, share) for name, share in shares.items()}
    seconds = (tally["last"] - tally["first"]) / 1e9 if latencies else 0
    lines.append(json.dumps({"step": step, "received": len(latencies), "seconds": seconds, **result}))
# Beneath dora-rs what is printed passes through its log; a file does not.
results = os.environ.get("DORA_BENCH_RESULTS")
if results is None:
    print("\n".join(lines), flush=True)
else:
    with open(results, "w") as file:
        file.write("\n".join(lines) + "\n")
