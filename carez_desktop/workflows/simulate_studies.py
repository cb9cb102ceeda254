"""Make a small simulated cohort of chest CT, for a home without studies of its own."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from carez_desktop.errors import InputError, NotFoundError, StorageError, UsageError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter

if TYPE_CHECKING:
    from carez_desktop.generators.chest_phantom import PhantomPatient
    from carez_desktop.workflows.context import WorkflowContext

FEWEST_PATIENTS = 4
LABELS = "labels.csv"
RECORD = "simulation.json"
_DICOM, _TRUTH = "dicom", "truth"
_TRAIN_SHARE = 0.43
_TRAIN_NODULES = (3, 3, 0, 3, 2, 3)


@dataclass(frozen=True, slots=True)
class SimulatedSeries:
    """One simulated series, and what is true of it.

    Attributes:
        split: `train` or `test`; whole patients.
        dose: `standard` or `low`; low only in `test`.
        disease: `nodule` or `none`.
        nodules: How many.
    """

    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    split: str
    dose: str
    disease: str
    nodules: int


@dataclass(frozen=True, slots=True)
class SimulatedStudies:
    """A simulated cohort on disk.

    Attributes:
        folder: `dicom/` with the studies, `truth/`, `labels.csv` and `simulation.json`.
        dicom_folder: What to import.
        labels: CSV keyed by series_instance_uid with `split` and `disease`.
        patients: How many.
    """

    folder: Path
    dicom_folder: Path
    labels: Path
    patients: int
    seed: int
    series: tuple[SimulatedSeries, ...]


def simulate_studies(
    context: WorkflowContext,
    *,
    folder: Path,
    patients: int = 14,
    seed: int = 7,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> SimulatedStudies:
    """Write simulated patients as marked DICOM, with the truth of their nodules beside it.

    The training split holds standard doses only; the held-out one is mostly low dose, so that
    low-dose CT is the gap. UIDs follow from (seed, patients), so that making the cohort again
    changes nothing. A folder that holds the same cohort already is returned as it is.

    Args:
        context: Home and audit log.
        folder: Where to write; new, empty, or the same cohort.
        patients: At least four.
        seed: Of the cohort.
        progress: Told at each patient.
        cancel: Asked at each batch of slices.

    Raises:
        UsageError: Too few patients. StorageError: The folder holds something else or cannot be
            written. CancelledError: The person stopped it; nothing stays.
    """
    if patients < FEWEST_PATIENTS:
        raise UsageError(
            f"{patients} patients cannot be split",
            subject="patients",
            hint=f"Give at least {FEWEST_PATIENTS}",
        )
    folder = folder.resolve()
    there = _already_there(folder, patients, seed)
    if there is not None:
        return there
    make = _maker(folder, patients, seed, cancel)
    finished: list[SimulatedSeries] = []
    workers = max(1, min(4, os.cpu_count() or 1))
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            for series in pool.map(make, range(patients)):
                finished.append(series)
                done = len(finished)
                progress.report(done / patients, f"Simulated patient {done} of {patients}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            for name in (_DICOM, _TRUTH):
                shutil.rmtree(folder / name, ignore_errors=True)
            raise
    result = _result(folder, patients, seed, tuple(finished))
    _write_tables(result)
    context.audit_log.append("simulate_studies", patients=patients, seed=seed, series=len(finished))
    return result


def load_truth(folder: Path, series_uid: str) -> npt.NDArray[np.uint8]:
    """Return the (slice, row, column) nodule label map of a simulated series; slices upwards.

    Raises:
        NotFoundError: The folder holds no truth for this series.
        InputError: The file is damaged.
    """
    path = folder / _TRUTH / f"{series_uid}.npz"
    if not path.is_file():
        raise NotFoundError(
            "There is no truth for this series",
            subject=series_uid,
            hint="Truth exists for simulated series only; simulate the studies again",
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive["nodule"], dtype=np.uint8)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            "The truth of this series cannot be read",
            subject=str(path),
            hint="Delete the folder and simulate the studies again",
        ) from error


def plan_patient(index: int, patients: int) -> tuple[str, str, int]:
    """Return (split, dose, nodules) of a patient.

    Of fourteen patients six train; of the eight others all but the last are low dose.
    """
    train = max(2, round(patients * _TRAIN_SHARE))
    if index < train:
        return "train", "standard", _TRAIN_NODULES[index % len(_TRAIN_NODULES)]
    dose = "standard" if index == patients - 1 else "low"
    return "test", dose, 2 + index % 2


def _maker(
    folder: Path, patients: int, seed: int, cancel: CancellationToken
) -> Callable[[int], SimulatedSeries]:
    from carez_desktop.generators.chest_phantom import make_phantom

    def make(index: int) -> SimulatedSeries:
        cancel.raise_if_cancelled()
        split, dose, nodules = plan_patient(index, patients)
        patient = make_phantom(seed, index, dose=dose, nodules=nodules, cancel=cancel)
        return _write_patient(folder, patient, split, f"{seed}|{patients}", cancel)

    return make


def _write_patient(
    folder: Path, patient: PhantomPatient, split: str, key: str, cancel: CancellationToken
) -> SimulatedSeries:
    from carez_desktop.dicom.series_writer import write_series
    from carez_desktop.dicom.synthetic_marking import SyntheticMarks
    from carez_desktop.generators.chest_phantom import SIMULATOR, SIMULATOR_VERSION

    written = write_series(
        patient.volume,
        folder / _DICOM / patient.patient_id,
        attributes=patient.attributes,
        uid_factory=_uids(f"{SIMULATOR}|{SIMULATOR_VERSION}|{key}|{patient.patient_id}"),
        marks=SyntheticMarks(
            f"{SIMULATOR} {SIMULATOR_VERSION}",
            "Simulated patient: procedural anatomy with the noise of a simulated acquisition",
        ),
        cancel=cancel,
    )
    _save_truth(folder / _TRUTH / f"{written.series_instance_uid}.npz", patient.nodule)
    return SimulatedSeries(
        patient.patient_id,
        written.study_instance_uid,
        written.series_instance_uid,
        split,
        patient.dose,
        patient.disease,
        len(patient.nodules),
    )


def _uids(key: str) -> Callable[[], str]:
    """Return a maker of UIDs below 2.25 that depend on the key and the count only."""
    count = 0

    def make() -> str:
        nonlocal count
        count += 1
        digest = hashlib.sha256(f"{key}|{count}".encode()).digest()
        return f"2.25.{int.from_bytes(digest[:16], 'big')}"

    return make


def _save_truth(path: Path, nodule: npt.NDArray[np.uint8]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, nodule=nodule)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _write_tables(result: SimulatedStudies) -> None:
    """Write the labels, and last the record that says the cohort is whole."""
    record: dict[str, Any] = {
        "simulated": True,
        "patients": result.patients,
        "seed": result.seed,
        "series": [asdict(series) for series in result.series],
    }
    try:
        with result.labels.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["series_instance_uid", "split", "disease"])
            rows.writerows([s.series_instance_uid, s.split, s.disease] for s in result.series)
        text = json.dumps(record, indent=2, sort_keys=True) + "\n"
        (result.folder / RECORD).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _cannot_write(result.folder, error) from error


def _already_there(folder: Path, patients: int, seed: int) -> SimulatedStudies | None:
    """Return the same cohort if the folder holds it, None for a new or empty folder.

    Raises:
        StorageError: The folder holds something else.
    """
    path = folder / RECORD
    if path.is_file():
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if (record["patients"], record["seed"]) == (patients, seed):
                series = tuple(SimulatedSeries(**entry) for entry in record["series"])
                return _result(folder, patients, seed, series)
        except (OSError, ValueError, KeyError, TypeError):
            pass
    if folder.is_dir() and any(folder.iterdir()):
        raise StorageError(
            "The folder holds something else than this simulated cohort",
            subject=str(folder),
            hint="Choose a new folder, or delete this one",
        )
    return None


def _result(
    folder: Path, patients: int, seed: int, series: tuple[SimulatedSeries, ...]
) -> SimulatedStudies:
    return SimulatedStudies(folder, folder / _DICOM, folder / LABELS, patients, seed, series)


def _cannot_write(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot write the simulated studies: {error.strerror or error}",
        subject=str(path),
        hint="Free space on the disk, or choose a writable folder",
    )
