"""Write what came out of every series of a folder of studies: opened, split or refused, and why.

    python packaging/series_table.py STUDIES docs/reference/data-open-table.md

Paths in the table are relative to the folder; no attribute that names a patient is written.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from carez_desktop.dicom.scan import ScanResult, scan_files
from carez_desktop.dicom.volume_reader import read_slices, read_volume
from carez_desktop.domain.lost_files import note_lost_files
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import SliceAxis, Volume
from carez_desktop.errors import CarezError
from carez_desktop.imaging.resampling import resample_stack
from carez_desktop.imaging.volume_files import describe_volume_file, read_volume_file
from carez_desktop.system.child_process import ChildPool

HEAD = """# What every series of the real studies gives

Written by `packaging/series_table.py` from the shared collection of public studies (their sources
and licences are named there). One line for each volume that import lists. *Opens* means that every
pixel was decoded, rescaled and the four corners of each slice were compared with the affine.
*Slices* means that its slices are no regular grid: they were read at their true positions, and put
on a regular grid as `--resample` does; shape and values are those of the slices. *Moments* means
that the first axis is time. Triples are (slice, row, column); spacing in mm; orientation names the
slice, row and column axis in the patient. How the voxels compare with other readers is in
`independent-readers.md`.

"""
COLUMNS = "| series | modality | shape | spacing | orientation | kind | result | values | notes |\n"
RULE = "|---|---|---|---|---|---|---|---|---|\n"


def main(arguments: Sequence[str]) -> int:
    """Scan the folder, read every volume and write the table."""
    folder, out = Path(arguments[0]).absolute(), Path(arguments[1])
    start = time.perf_counter()
    scanned = scan_files([folder])
    stacked = stack_instances(scanned.headers, scanned.objects)
    records = note_lost_files(stacked, scanned.unreadable)
    pool = ChildPool()
    lines = [_line(folder, record, pool) for record in records]
    pool.close()
    summary = _summary(scanned, lines, time.perf_counter() - start)
    text = HEAD + summary + "## DICOM\n\n" + COLUMNS + RULE + "".join(lines)
    text += "\n## NIfTI\n\n" + _files_section(folder, scanned)
    text += "\n## Not readable\n\n| file | reason |\n|---|---|\n"
    text += "".join(
        f"| {_relative(folder, item.path)} | {item.reason} |\n" for item in scanned.unreadable
    )
    out.write_text(text, encoding="utf-8")
    print(summary)
    return 0


def _summary(scanned: ScanResult, lines: Sequence[str], seconds: float) -> str:
    refused = sum("| refused |" in line for line in lines)
    failed = sum("| fails |" in line for line in lines)
    shown = sum("| slices |" in line for line in lines)
    return (
        f"{len(scanned.headers)} DICOM images gave {len(lines)} volumes and images:"
        f" {len(lines) - refused - failed - shown} open, {shown} are shown as slices and"
        f" resampled on demand, {refused} are refused with a reason,"
        f" {failed} fail."
        f" {len(scanned.objects)} objects (SEG, RTSTRUCT, SR, RWV) were listed,"
        f" {len(scanned.unreadable)} files are not readable, {scanned.ignored_count} are of other"
        f" kinds. Scanning and reading all of it took {seconds:.0f} s.\n\n"
    )


def _line(folder: Path, record: VolumeRecord, pool: ChildPool) -> str:
    """Return the table line of one record."""
    result, values = _attempt(record, pool)
    spacing = " x ".join(f"{step:.4g}" for step in record.spacing_mm) if record.spacing_mm else "-"
    refusal = [record.refusal] if record.refusal else []
    notes = [*refusal, record.split_reason]
    notes += [finding.text for finding in record.findings if finding.text != record.refusal]
    counts: dict[str, int] = {}
    for item in record.objects:
        counts[item.sop_class] = counts.get(item.sop_class, 0) + 1
    notes += [f"{count} x {name}" for name, count in counts.items()]
    cells = (
        _place(folder, record),
        record.modality or "-",
        " x ".join(map(str, record.shape)),
        spacing,
        record.orientation or "-",
        record.kind.value,
        result,
        values,
        "; ".join(filter(None, notes)).replace("|", "/"),
    )
    return "| " + " | ".join(cells) + " |\n"


def _attempt(record: VolumeRecord, pool: ChildPool) -> tuple[str, str]:
    if record.refusal and not record.slices_only:
        return "refused", "-"
    try:
        if record.slices_only:
            stack = read_slices(record, children=pool)
            grid = resample_stack(stack).geometry
            shape = " x ".join(map(str, grid.shape))
            return "slices", f"{_values(*stack.slices)}; resampled {shape}"
        return "opens", _values(read_volume(record, children=pool))
    except CarezError as error:
        return "fails", error.what


def _values(*volumes: Volume) -> str:
    low = min(float(volume.array.min()) for volume in volumes)
    high = max(float(volume.array.max()) for volume in volumes)
    first = volumes[0]
    text = f"{first.array.dtype} {low:g} to {high:g} {first.units}".replace(" arbitrary", "")
    return text + (", moments" if first.slice_axis is SliceAxis.TIME else "")


def _place(folder: Path, record: VolumeRecord) -> str:
    """Name the series by its folder, with the split number if it has one."""
    first = Path(_relative(folder, record.paths[0]))
    alone = len(set(record.paths)) == 1
    place = first.as_posix() if alone else first.parent.as_posix()
    _, mark, number = record.volume_id.partition(":")
    return f"{place} ({number})" if mark else place


def _relative(folder: Path, path: str) -> str:
    return Path(path).relative_to(folder).as_posix()


def _files_section(folder: Path, scanned: ScanResult) -> str:
    """Sum the volume files up by folder; there are hundreds of a kind."""
    groups: dict[str, list[VolumeRecord]] = {}
    lines: list[str] = []
    for path in scanned.volume_files:
        try:
            described = describe_volume_file(path)
        except CarezError as error:
            lines.append(f"- {_relative(folder, str(path))} fails: {error.what}\n")
            continue
        groups.setdefault(_relative(folder, str(path.parent)), []).extend(described)
    for place, records in groups.items():
        opened = [read_volume_file(record) for record in records if not record.refusal]
        kinds = sorted({str(volume.array.dtype) for volume in opened})
        orientations = sorted({record.orientation for record in records})
        smallest = tuple(min(record.shape[axis] for record in records) for axis in range(3))
        largest = tuple(max(record.shape[axis] for record in records) for axis in range(3))
        lines.append(
            f"- {place}: {len(opened)} of {len(records)} volumes open, shapes {smallest} to"
            f" {largest}, orientations {', '.join(orientations)}, types {', '.join(kinds)}\n"
        )
    return "".join(lines) or "None.\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
