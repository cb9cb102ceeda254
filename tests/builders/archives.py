"""Archives to import, and what an import took in of them and left behind."""

from __future__ import annotations

import zipfile
from pathlib import Path

from carez_desktop.domain.finding import Finding
from carez_desktop.workflows._intake import Intake, take_in
from carez_desktop.workflows.context import WorkflowContext


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def taken(context: WorkflowContext, *paths: Path, copy: bool = False) -> Intake:
    with take_in(context, paths, copy=copy) as result:
        return result


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


def left_in(home: Path) -> list[str]:
    studies = home / "studies"
    files = (path for path in studies.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(studies)) for path in files)
