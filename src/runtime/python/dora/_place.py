"""Who this process is, and where its daemon is."""

from __future__ import annotations

import os
from typing import Optional, Tuple

from ._daemon import Message
from ._errors import DoraError

# Of a socket's path, and what the daemon keeps of it for the names of sockets.
_PATH_BYTES_MAX = 103
_ROOM_BYTES = 48
_LIBRARY = "dora python 0.1.0"


def find_place(node_id: Optional[str], dataflow: str) -> Tuple[str, Message]:
    """The daemon's socket, and what it is told first. Errors: `DAEMON_UNREACHABLE` where nothing says who this is."""
    own = os.environ.get("DORA_NODE_ID")
    token = os.environ.get("DORA_NODE_TOKEN", "")
    is_dynamic = node_id is not None and (own != node_id or token == "")
    node = node_id if is_dynamic else own
    if node is None:
        message = (
            "DORA_NODE_ID is not set: no daemon started this process."
            ' Node("ID") connects a node that is started by hand'
        )
        raise DoraError("DAEMON_UNREACHABLE", message)
    hello = {
        "type": "hello",
        "protocol": 1,
        "dataflow": dataflow if is_dynamic else os.environ.get("DORA_DATAFLOW_ID", ""),
        "node": node,
        "token": "" if is_dynamic else token,
        "pid": os.getpid(),
        "library": _LIBRARY,
    }
    return os.environ.get("DORA_DAEMON_SOCKET") or _usual_socket(), hello


def _usual_socket() -> str:
    """As the daemon chooses it: the first folder in which the paths of sockets are short enough."""
    import tempfile

    name = f"dora-{os.getuid()}"
    bases = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir()]
    folders = [os.path.join(base, name) for base in bases if base.startswith("/")]
    fitting = [each for each in folders if len(os.fsencode(each)) + _ROOM_BYTES <= _PATH_BYTES_MAX]
    return os.path.join(fitting[0] if fitting else f"/tmp/{name}", "daemon.sock")
