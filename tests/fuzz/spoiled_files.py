"""Spoiled studies, each made from one case of the corpus by a seed: same seed, same file."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.builders.odd_corpus import OddCase, dicom_corpus, uid_of
from tests.builders.odd_volume_files import archive_corpus, volume_file_corpus
from tests.fuzz.mutations import BLIND, DICOM, GENERIC, Mutation

_DICOM_SHARE, _VOLUME_SHARE = 0.8, 0.93
_LARGEST_SEED = 600_000


@dataclass(frozen=True)
class Spoiled:
    """The files of one study of which one is spoiled, and how it came about."""

    seed: int
    recipe: str
    files: dict[str, bytes]

    def write(self, folder: Path) -> Path:
        """Write its files below `folder / s<seed>`."""
        target = folder / f"s{self.seed}"
        for name, content in self.files.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return target


@cache
def _pool() -> tuple[tuple[OddCase, ...], tuple[OddCase, ...], tuple[OddCase, ...]]:
    archives = tuple(OddCase(name, files) for name, files in archive_corpus().items())
    return dicom_corpus(), volume_file_corpus(), archives


def spoiled(seed: int) -> Spoiled:
    """Make the spoiled study of a seed."""
    dice = random.Random(seed)
    dicom, volumes, archives = _pool()
    share = dice.random()
    if share < _DICOM_SHARE:
        return _spoil(seed, dice, dice.choice(dicom), DICOM)
    if share < _VOLUME_SHARE:
        return _spoil(seed, dice, dice.choice(volumes), GENERIC)
    return _spoil(seed, dice, dice.choice(archives), GENERIC)


def spoiled_from(folder: Path) -> Callable[[int], Spoiled]:
    """Return what spoils one of the small files below a folder, of whatever kind it is."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_small(path)]

    def make(seed: int) -> Spoiled:
        dice = random.Random(seed)
        path = dice.choice(files)
        case = OddCase(str(path.relative_to(folder)), {path.name: path.read_bytes()})
        mutations = GENERIC if path.name.endswith((".nii", ".gz", ".nrrd")) else DICOM
        return _spoil(seed, dice, case, mutations)

    return make


def _is_small(path: Path) -> bool:
    return 0 < path.stat().st_size <= _LARGEST_SEED


def _spoil(
    seed: int, dice: random.Random, case: OddCase, mutations: tuple[Mutation, ...]
) -> Spoiled:
    name = dice.choice(sorted(case.files))
    content = case.files[name]
    packed = name.endswith(".gz") and dice.random() < 0.7
    if packed:
        content = gzip.decompress(content)
    chosen = [dice.choice(mutations)]
    if dice.random() < 0.3:
        chosen.append(dice.choice(BLIND))
    for mutation in chosen:
        content = mutation(content or b"\0", dice)
    if packed:
        content = gzip.compress(content, 1)
    files = {**case.files, name: content}
    if dice.random() < 0.9 and case.series_uid:
        files = {key: _renamed(value, case, seed) for key, value in files.items()}
    words = " + ".join(mutation.__name__ for mutation in chosen)
    return Spoiled(seed, f"{case.name}/{name}: {words}", files)


def _renamed(content: bytes, case: OddCase, seed: int) -> bytes:
    """Give a study a series of its own, so that the studies of one import do not meet."""
    return content.replace(uid_of(case.name).encode(), uid_of(f"{case.name}{seed}").encode())
