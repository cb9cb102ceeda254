"""What misbehaves in the child processes of tests; each takes a request and ends badly, or not."""

from __future__ import annotations

import ctypes
import importlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from carez_desktop.errors import CarezError, UnreadableFileError
from carez_desktop.system.shared_array import open_region

HERE = "tests.builders.child_functions"


def echo(request: dict[str, Any]) -> Any:
    return request


def pid(_: dict[str, Any]) -> int:
    return os.getpid()


def fill(request: dict[str, Any]) -> list[int]:
    region = open_region(request["region"])
    region[...] = request["value"]
    return list(region.shape)


def double(request: dict[str, Any]) -> None:
    open_region(request["nested"][0]["target"])[...] = 2 * open_region(request["source"])


def shrink(request: dict[str, Any]) -> None:
    os.ftruncate(request["region"]["descriptor"], 0)


def abort(_: dict[str, Any]) -> None:
    os.abort()


def segfault(_: dict[str, Any]) -> None:
    ctypes.string_at(0)


def leave(_: dict[str, Any]) -> None:
    sys.exit(3)


def sleep(request: dict[str, Any]) -> float:
    time.sleep(request["seconds"])
    return float(request["seconds"])


def compute(_: dict[str, Any]) -> None:
    while True:
        pass


def take_memory(_: dict[str, Any]) -> int:
    return len(bytearray(3 << 30))


def answer_much(_: dict[str, Any]) -> str:
    return "x" * (40 << 20)


def answer_an_object(_: dict[str, Any]) -> object:
    return object()


def answer_deeply(_: dict[str, Any]) -> Any:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    return deep


def refuse(request: dict[str, Any]) -> None:
    raise UnreadableFileError("It is damaged", subject=request["path"], hint="Get it again")


def stumble(_: dict[str, Any]) -> None:
    raise ZeroDivisionError("odd spacing")


def write_file(request: dict[str, Any]) -> str:
    try:
        with Path(request["path"]).open("wb") as stream:
            stream.write(b"x")
    except OSError as error:
        return type(error).__name__
    return "written"


def connect(_: dict[str, Any]) -> str:
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=0.2)
    except CarezError as error:
        return error.code
    except OSError as error:
        return type(error).__name__
    return "connected"


def say_garbage(request: dict[str, Any]) -> None:
    """Write over the connection what is no answer, as code that a file brought along might."""
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, bytes.fromhex(request["bytes"]))
        except OSError:
            continue
    time.sleep(10)


def read_headers_or_crash(request: dict[str, Any]) -> Any:
    """Do as `read_headers`, but die at a file named `cut.dcm`."""
    from carez_desktop.dicom.header_batch import read_headers

    if any(path.endswith("cut.dcm") for path in request["paths"]):
        os.abort()
    return read_headers(request)


def forbidden(request: dict[str, Any]) -> dict[str, str]:
    """Try what no reader of files needs; say for each what came of it."""
    folder = Path(request["folder"])
    tried: dict[str, Callable[[], object]] = {
        "create": lambda: os.open(folder / "new", os.O_CREAT | os.O_WRONLY),
        "append": lambda: os.open(folder / "old", os.O_WRONLY | os.O_APPEND),
        "cut": lambda: os.truncate(folder / "old", 0),
        "delete": lambda: (folder / "old").unlink(),
        "rename": lambda: (folder / "old").rename(folder / "new"),
        "folder": lambda: (folder / "new").mkdir(),
        "link": lambda: (folder / "new").symlink_to(folder / "old"),
        "mode": lambda: (folder / "old").chmod(0o777),
        "time": lambda: os.utime(folder / "old", (0, 0)),
        "socket": socket.socket,
        "local socket": lambda: socket.socket(socket.AF_UNIX),
        "fork": os.fork,
        "program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "signal": lambda: os.kill(request["parent"], 0),
        "memory": lambda: os.memfd_create("x"),
        "read": lambda: (folder / "old").read_bytes(),
        "thread": lambda: _in_a_thread(),
    }
    return {name: _attempt(attempt) for name, attempt in tried.items()}


def _attempt(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    except RuntimeError as error:
        return str(error)
    return "done"


def _in_a_thread() -> None:
    thread = threading.Thread(target=time.sleep, args=(0.001,))
    thread.start()
    thread.join()


def describe_self(_: dict[str, Any]) -> dict[str, Any]:
    """Say which limits and variables this process has."""
    import resource

    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    facts = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    names = ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_CPU")
    return {
        "limits": {name: resource.getrlimit(getattr(resource, name))[0] for name in names},
        "no_new_privileges": facts["NoNewPrivs"],
        "filter": facts["Seccomp"],
        "environment": dict(os.environ),
        "descriptors": sorted(int(link.name) for link in Path("/proc/self/fd").iterdir()),
        "in_working_folder": str(Path.cwd()) in sys.path or "" in sys.path,
    }


def compute_then_sleep(request: dict[str, Any]) -> None:
    """Allow itself one second of processor time, then compute for longer."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1, hard))
    end = time.monotonic() + request["seconds"]
    while time.monotonic() < end:
        pass


def import_modules(request: dict[str, Any]) -> None:
    for name in request["modules"]:
        importlib.import_module(name)
