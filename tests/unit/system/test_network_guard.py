"""The guard is tested in a child, because it cannot be taken off again."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import socket, threading
from carez_desktop.system.network_guard import NetworkBlockedError, install_network_guard
install_network_guard()
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
def blocked(call):
    try:
        call()
    except NetworkBlockedError:
        return True
    except OSError:
        return False
    return False
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
results = [
    blocked(lambda: socket.create_connection(("192.0.2.1", 80), timeout=0.2)),
    blocked(lambda: udp.sendto(b"x", ("192.0.2.1", 53))),
    blocked(lambda: socket.getaddrinfo("example.org", 80)),
    blocked(lambda: socket.gethostbyname("example.org")),
]
install_network_guard(["192.0.2.1"])
results.append(blocked(lambda: socket.create_connection(("192.0.2.1", 80), timeout=0.2)))
seen = []
look_up = lambda: socket.getaddrinfo("example.org", 80)
thread = threading.Thread(target=lambda: seen.append(blocked(look_up)))
thread.start(); thread.join()
print(results + seen)
"""


def test_only_loopback_passes_in_every_thread_and_a_second_call_does_not_widen_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == str([True] * 6), done.stderr
