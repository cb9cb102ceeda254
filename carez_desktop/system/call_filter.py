"""Take away from a process the system calls that no reader of files needs (Linux, seccomp(2)).

A file that takes over a decoder finds itself in a process that may read files, compute, and answer
its parent: it cannot open a socket, start a program, write, rename or delete a file, look into
another process or send it a signal. Defence in depth: resource limits stand beside it, and where a
kernel or a processor does not know the filter the process runs without.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_CLONE_THREAD = 0x00010000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000
_CLONE3, _NOT_OF_HERE = 435, -1

_FORBIDDEN = {
    # name: (x86_64, aarch64); -1 where a processor has no such call
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "socketpair": (53, 199),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, -1),
    "vfork": (58, -1),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "creat": (85, -1),
    "openat2": (437, 437),
    "open_by_handle_at": (304, 265),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "rename": (82, -1),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "unlink": (87, -1),
    "unlinkat": (263, 35),
    "rmdir": (84, -1),
    "mkdir": (83, -1),
    "mkdirat": (258, 34),
    "mknod": (133, -1),
    "mknodat": (259, 33),
    "link": (86, -1),
    "linkat": (265, 37),
    "symlink": (88, -1),
    "symlinkat": (266, 36),
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, -1),
    "fchown": (93, 55),
    "lchown": (94, -1),
    "fchownat": (260, 54),
    "utime": (132, -1),
    "utimes": (235, -1),
    "futimesat": (261, -1),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "mount": (165, 40),
    "umount2": (166, 39),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}


@dataclass(frozen=True, slots=True)
class _Processor:
    """What a filter depends on: AUDIT_ARCH_* and the numbers of calls whose arguments count."""

    column: int
    audit: int
    seccomp: int
    open: int
    openat: int
    clone: int
    tgkill: int


_PROCESSORS = {
    "x86_64": _Processor(0, 0xC000003E, 317, 2, 257, 56, 234),
    "aarch64": _Processor(1, 0xC00000B7, 277, _NOT_OF_HERE, 56, 220, 131),
}


def forbid_calls() -> bool:
    """Set the filter for this process and its threads, for good.

    Returns:
        Whether it holds now.
    """
    processor = _PROCESSORS.get(platform.machine())
    if not sys.platform.startswith("linux") or processor is None or sys.maxsize < 1 << 32:
        return False
    program = _program(processor, os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(program, len(program))
    count = len(program) // struct.calcsize("=HBBI")
    handed = struct.pack("@HP", count, ctypes.addressof(buffer))
    result: int = libc.syscall(
        ctypes.c_long(processor.seccomp),
        ctypes.c_uint(_SET_MODE_FILTER),
        ctypes.c_uint(_ALL_THREADS),
        ctypes.c_char_p(handed),
    )
    return result == 0


def _program(processor: _Processor, own_pid: int) -> bytes:
    """Build the classic BPF program: one line after the other, allowed at the end."""
    refused = (_RETURN, 0, 0, _ERRNO | _EPERM)
    lines: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, processor.audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        refused,
        # The C library then falls back to clone, whose flags can be seen.
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),
    ]
    for numbers in _FORBIDDEN.values():
        number = numbers[processor.column]
        if number != _NOT_OF_HERE:
            lines += [(_EQUAL, 0, 1, number), refused]
    lines += _if_argument(processor.open, 1, (_ANY_BIT, 0, 1, _WRITING))
    lines += _if_argument(processor.openat, 2, (_ANY_BIT, 0, 1, _WRITING))
    lines += _if_argument(processor.clone, 0, (_ANY_BIT, 1, 0, _CLONE_THREAD))
    lines += _if_argument(processor.tgkill, 0, (_EQUAL, 1, 0, own_pid))
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _if_argument(
    number: int, argument: int, test: tuple[int, int, int, int]
) -> Sequence[tuple[int, int, int, int]]:
    """Refuse one call by one of its arguments: `test` steps over the refusal, or not."""
    if number == _NOT_OF_HERE:
        return ()
    return (
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT + 8 * argument),
        test,
        (_RETURN, 0, 0, _ERRNO | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    )
