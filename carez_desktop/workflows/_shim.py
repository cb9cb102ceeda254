"""Temporary."""
from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace


@contextmanager
def take_in(context, paths, *, known, copy, progress, cancel):
    from carez_desktop.dicom.scan import scan_files
    scan = scan_files(paths, known=known, progress=progress, cancel=cancel)
    yield SimpleNamespace(scan=scan, findings=())
