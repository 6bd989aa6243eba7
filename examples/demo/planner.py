"""Plans the arm's path around the objects; without them it slows the arm down."""

import logging

from dora import Node

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("planner")

node = Node()
# Frames without objects, one after the other.
blind_count = 0
for event in node:
    if event["type"] != "INPUT":
        continue
    frame, objects = event["metadata"]["frame"], event["metadata"]["objects"]
    blind_count = blind_count + 1 if objects == 0 else 0
    if blind_count > 1:
        log.warning("no objects, arm slows down", extra={"frame": frame})
    else:
        log.info("path planned", extra={"frame": frame})
