"""Every error a person may meet, as one tree.

CarezError                      exit code, JSON code
├── UsageError                  2    usage                a wrong option, a value outside its range
├── InputError                  3    input                a source that cannot be used
│   ├── UnreadableFileError     3    unreadable_file      truncated, not DICOM, cannot be decoded
│   ├── GeometryError           3    geometry             not a volume: tilted, uneven, mixed
│   └── NotFoundError           3    not_found            no such volume, cohort, case
├── ModelError                  4    model                a package that is missing or invalid
├── DeviceError                 5    device               GPU, driver, memory of the device
├── StorageError                6    storage              full, read-only, locked, newer library
├── ChildCrashError             70   child_process        a child crashed or ran over its limits
└── CancelledError              130  cancelled            the person stopped it

Each says *what* happened, to *which subject* (a file, a field, a case)
and *what to do next* (hint).
"""

from __future__ import annotations

from typing import ClassVar


class CarezError(Exception):
    """Say what went wrong, where, and what to do next.

    Args:
        what: One sentence without a trailing stop.
        subject: The file, field or identifier that it is about.
        hint: What the person can do next.
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, subject: str = "", hint: str = "") -> None:
        """Keep the three parts for whoever shows the error."""
        super().__init__(what)
        self.what = what
        self.subject = subject
        self.hint = hint

    def __str__(self) -> str:
        """Return what, where and the remedy in one line."""
        text = f"{self.what} ({self.subject})" if self.subject else self.what
        return f"{text}. {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        """Keep keyword arguments when an error crosses a process border."""
        return (_rebuild, (type(self), self.what, self.subject, self.hint))


def _rebuild(kind: type[CarezError], what: str, subject: str, hint: str) -> CarezError:
    return kind(what, subject=subject, hint=hint)


class UsageError(CarezError):
    """A wrong option, or a value outside its range; the subject names the field."""

    code = "usage"
    exit_code = 2


class InputError(CarezError):
    """A source that cannot be used as asked."""

    code = "input"
    exit_code = 3


class UnreadableFileError(InputError):
    """A file that is truncated, of another format, or cannot be decoded."""

    code = "unreadable_file"


class GeometryError(InputError):
    """Slices that do not form a regular volume; the text says why."""

    code = "geometry"


class NotFoundError(InputError):
    """No such volume, cohort, case or bundle."""

    code = "not_found"


class ModelError(CarezError):
    """A generator package that is missing, changed or invalid."""

    code = "model"
    exit_code = 4


class DeviceError(CarezError):
    """The device, its driver or its memory does not allow what was asked."""

    code = "device"
    exit_code = 5


class StorageError(CarezError):
    """Output or library storage that is full, read-only, locked or of a newer version."""

    code = "storage"
    exit_code = 6


class ChildCrashError(CarezError):
    """A child process died, or ran over its time or memory limit."""

    code = "child_process"
    exit_code = 70


class CancelledError(CarezError):
    """The person stopped it; nothing half-written is left."""

    code = "cancelled"
    exit_code = 130
