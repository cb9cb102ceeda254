"""Write how every CT, MR and PET series of a folder of studies compares with other readers.

    python packaging/independent_readers.py STUDIES docs/reference/independent-readers.md

SimpleITK, highdicom and dcm2niix (where it is installed) read the same files; the table says how
far corners and voxels are apart, and explains each difference.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.volume_reader import read_volume
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.system.child_process import ChildPool
from tests.builders.independent_readers import (
    READERS,
    Comparison,
    compare_with_all,
    read_with_dcm2niix,
)

MODALITIES = ("CT", "MR", "PT")
HEAD = """# Our volumes against independent readers

Written by `packaging/independent_readers.py` from the shared collection of public studies: every
CT, MR and PET volume that opens, against SimpleITK (GDCM), highdicom and dcm2niix, which share no
code with ours. Their voxels are brought into our order of axes by the affines alone. A cell gives
the largest distance of a corner of the volume in mm, and the largest difference of a voxel as a
share of the largest value. *Agrees* means corners within 0.001 mm and voxels within 0.000001. PET
that opens in SUV is compared after its factor is divided out; the factor is named.

"""


def main(arguments: Sequence[str]) -> int:
    """Compare every volume and write the table; 1 where a difference is not explained."""
    folder, out = Path(arguments[0]).absolute(), Path(arguments[1])
    lines, notes, open_questions, agreed, count = [], [], 0, 0, 0
    for record, comparisons, factor in compared(folder):
        cells = [_cell(comparison) for comparison in comparisons]
        name = _name(folder, record)
        suv = f" (SUV, factor {factor:.6g})" if factor != 1.0 else ""
        shape = " x ".join(map(str, record.shape))
        lines.append(f"| {name} | {record.modality}{suv} | {shape} | {' | '.join(cells)} |\n")
        count += len(comparisons)
        for comparison in comparisons:
            agreed += comparison.difference is not None and comparison.difference.agrees
            open_questions += not comparison.is_settled
            if comparison.explanation:
                notes.append(f"- {name}, {comparison.reader}: {comparison.explanation}.\n")
            elif not comparison.is_settled:
                notes.append(f"- {name}, {comparison.reader}: NOT EXPLAINED {comparison.said}\n")
    summary = (
        f"{len(lines)} volumes, {count} comparisons: {agreed} agree,"
        f" {count - agreed - open_questions} differ for the reason given below,"
        f" {open_questions} are not explained.\n\n"
    )
    text = HEAD + summary + f"| series | modality | shape | {' | '.join(READERS)} |\n"
    text += "|---|---|---|" + "---|" * len(READERS) + "\n" + "".join(lines)
    text += "\n## Each difference\n\n" + "".join(notes or ["None.\n"])
    out.write_text(text, encoding="utf-8")
    print(summary)
    return 1 if open_questions else 0


def compared(folder: Path) -> Iterator[tuple[VolumeRecord, list[Comparison], float]]:
    """Yield each volume of a folder with what every reader makes of it, and its SUV factor."""
    scanned = scan_files([folder])
    by_series: dict[str, list[VolumeRecord]] = {}
    for record in stack_instances(scanned.headers):
        if record.modality in MODALITIES:
            by_series.setdefault(record.series_instance_uid, []).append(record)
    pool = ChildPool()
    try:
        for records in by_series.values():
            opening = [record for record in records if not record.refusal]
            if not opening:
                continue
            converted = read_with_dcm2niix([path for r in records for path in r.paths])
            for record in opening:
                ours = read_volume(record, children=pool)
                found = compare_with_all(record, ours, converted)
                factors = [c.difference.factor for c in found if c.difference is not None]
                yield record, found, factors[0] if factors else 1.0
    finally:
        pool.close()


def _cell(comparison: Comparison) -> str:
    difference = comparison.difference
    if difference is None:
        return "no volume"
    if not difference.corners_mm < float("inf"):
        return f"{' x '.join(map(str, difference.shape))}"
    verdict = "agrees" if difference.agrees else "differs"
    return f"{verdict}: {difference.corners_mm:.2g} mm, {difference.voxels:.1g}"


def _name(folder: Path, record: VolumeRecord) -> str:
    first = Path(record.paths[0]).relative_to(folder)
    place = first if len(set(record.paths)) == 1 else first.parent
    _, mark, number = record.volume_id.partition(":")
    return f"{place.as_posix()} ({number})" if mark else place.as_posix()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
