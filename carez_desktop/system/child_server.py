"""What runs in a child of the warm pool: it reads hostile files and answers with plain data."""

from __future__ import annotations

import gc
import importlib
import signal
import socket
import sys
from typing import Any

from carez_desktop.errors import CarezError
from carez_desktop.system.call_filter import forbid_calls
from carez_desktop.system.child_messages import close_descriptors, receive_request, send_message
from carez_desktop.system.network_guard import install_network_guard
from carez_desktop.system.process_limits import (
    die_with_parent,
    limit_processor_time,
    limit_this_process,
)

BOOT = (
    "import sys, json; order = json.loads(sys.argv[1]); sys.path[:] = order['path'];"
    " from carez_desktop.system.child_server import serve; serve(order)"
)


def serve(order: dict[str, Any]) -> None:
    """Be a child: limit oneself, then answer one request after the other until the parent ends.

    Args:
        order: From `child_start`: parent, descriptor, preload, memory_mib.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl+C means
    die_with_parent(order["parent"])
    connection = _connection(order["descriptor"])
    try:
        for name in order["preload"]:
            importlib.import_module(name)
        install_network_guard()
        limit_this_process(memory_mib=order["memory_mib"])
        forbid_calls()
    except Exception as error:  # noqa: BLE001  the parent says it; here it would be lost
        send_message(connection, {"failed": f"{type(error).__name__}: {error}"})
        return
    gc.freeze()
    send_message(connection, {"ready": True})
    while True:
        received = receive_request(connection)
        if received is None:
            return
        message, descriptors = received
        answer = _answer(message, order["memory_mib"])
        close_descriptors(descriptors)
        try:
            send_message(connection, answer)
        except (TypeError, ValueError) as error:
            what = f"The answer of {message['call']} is no plain data: {error}"
            subject = str(message["request"].get("subject", ""))
            send_message(connection, {"error": ["ChildCrashError", what, subject, ""]})


def _connection(descriptor: int) -> socket.socket:
    if sys.platform == "win32":
        length = int.from_bytes(sys.stdin.buffer.read(4), "little")
        return socket.fromshare(sys.stdin.buffer.read(length))
    return socket.socket(fileno=descriptor)


def _answer(message: dict[str, Any], memory_mib: int) -> dict[str, Any]:
    limit_processor_time(message["cpu_s"])
    subject = str(message["request"].get("subject", ""))
    try:
        module, _, name = message["call"].partition(":")
        return {"result": getattr(importlib.import_module(module), name)(message["request"])}
    except CarezError as error:
        return {"error": [type(error).__name__, error.what, error.subject, error.hint]}
    except MemoryError:
        what = f"It needs more memory than the {memory_mib} MiB that a file may take"
        hint = "The file may be damaged; get a new copy from its source"
        return {"error": ["ChildCrashError", what, subject, hint], "worn": True}
    except Exception as error:  # noqa: BLE001  whatever a library raises on a hostile file
        what = f"It cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        hint = "The file may be damaged; get a new copy from its source"
        return {"error": ["ChildCrashError", what, subject, hint]}
