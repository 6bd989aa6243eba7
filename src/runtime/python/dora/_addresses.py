"""Where links arrive: `unix:PATH` and `tcp://HOST:PORT`."""

from __future__ import annotations

import errno
import os
import socket
from typing import Tuple

_SOCKET_PATH_BYTES_MAX = 103


def dial(address: str, timeout: float) -> socket.socket:
    """Connects to `unix:PATH` or `tcp://HOST:PORT`. Errors: `OSError`, `ValueError`."""
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(address[len("unix:") :])
        except BaseException:
            sock.close()
            raise
        return sock
    host, port = host_and_port(address)
    sock = socket.create_connection((host, port), timeout)
    watch_tcp(sock)
    return sock


def host_and_port(address: str) -> Tuple[str, int]:
    """Errors: `ValueError`, also for `tls://`, which this library does not speak."""
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    if scheme == "tls":
        raise ValueError(f"{address}: Python nodes do not speak TLS; use tcp:// in a network that you trust")
    if scheme != "tcp" or host == "" or not port.isdecimal():
        raise ValueError(f'the endpoint "{address}" is none; give one such as tcp://127.0.0.1:7001')
    return host.strip("[]"), int(port)


def watch_tcp(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)


def socket_endpoint(run_directory: str, node: str) -> str:
    path = os.path.join(run_directory, f"{node}.sock")
    if len(os.fsencode(path)) > _SOCKET_PATH_BYTES_MAX:
        import hashlib  # Rarely needed, and slow to load.

        short = hashlib.sha256(node.encode()).hexdigest()[:16]
        path = os.path.join(run_directory, f"{short}.sock")
    return f"unix:{path}"


def listen(endpoint: str) -> Tuple[socket.socket, str]:
    if endpoint.startswith("unix:"):
        return _listen_unix(endpoint[len("unix:") :]), endpoint
    host, port = host_and_port(endpoint)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(511)
    except OSError:
        sock.close()
        raise
    bound = sock.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    return sock, f"tcp://{shown}:{bound}"


def _listen_unix(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            sock.bind(path)
        except OSError as error:
            # A process that was killed leaves its socket's file behind, at which nobody answers.
            if error.errno != errno.EADDRINUSE or _is_answered(path):
                raise
            os.unlink(path)
            sock.bind(path)
        os.chmod(path, 0o600)
        sock.listen(511)
    except OSError:
        sock.close()
        raise
    return sock


def _is_answered(path: str) -> bool:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(path)
    except OSError:
        return False
    finally:
        probe.close()
    return True


def shut(sock: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """Ends a connection that another thread reads; that thread closes it."""
    try:
        sock.shutdown(how)
    except OSError:
        return
