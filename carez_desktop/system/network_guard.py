"""No network traffic leaves this process, except to loopback and configured hospital peers.

The guard is an audit hook (PEP 578): Python raises the audit events `socket.connect`,
`socket.sendto`, `socket.getaddrinfo` and `socket.gethostbyname` before the call reaches the system.
A hook cannot be removed again, so the guard holds for the life of the process and of the threads in
it. It does not see sockets that native libraries open by themselves; `SECURITY.md` says so.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable
from typing import Any

from carez_desktop.errors import CarezError

_CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_RESOLVING = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


class NetworkBlockedError(CarezError):
    """A connection that no administrator configured."""

    code = "network_blocked"


class _Guard:
    """Which hosts are allowed; the hook reads it, `allow` changes it."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = frozenset(allowed)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse a connection or a name look-up that is neither loopback nor allowed."""
        if event in _CONNECTING:
            address = arguments[1]
            if isinstance(address, tuple) and address:
                self._check(str(address[0]))
        elif event in _RESOLVING and arguments[0]:
            host = arguments[0]
            self._check(host.decode("ascii", "replace") if isinstance(host, bytes) else str(host))

    def _check(self, host: str) -> None:
        if host in self.allowed or host == "localhost" or _is_loopback(host):
            return
        raise NetworkBlockedError(
            "A connection was blocked: nothing leaves this machine",
            subject=host,
            hint="Only an administrator can allow a hospital peer, in the settings",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


_installed: list[_Guard] = []


def install_network_guard(allowed_hosts: Iterable[str] = ()) -> None:
    """Block outgoing connections and name look-ups of this process from now on.

    Calling it again does not widen what is allowed.

    Args:
        allowed_hosts: Addresses or names of configured hospital peers.
    """
    if _installed:
        return
    guard = _Guard(allowed_hosts)
    sys.addaudithook(guard)
    _installed.append(guard)


def is_network_guarded() -> bool:
    """Whether the guard is installed in this process."""
    return bool(_installed)
