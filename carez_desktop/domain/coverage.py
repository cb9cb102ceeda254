"""The coverage matrix: which combinations of strata a site's data has, and which it lacks.

Counting is by patient; volumes and synthetic volumes are told beside it. Combinatorial coverage is
that of NIST SP 800-142 and NISTIR 7878 (Kuhn, Kacker, Lei): the share of all possible t-way
combinations of levels that occur at least once. Gaps are the maximal uncovered patterns of
Asudeh, Jin and Jagadish (ICDE 2019): a pair is a gap only if neither of its levels is one by
itself. Counts are exact here; `domain.disclosure` suppresses small ones in what leaves the site.

A gap's score says how much one would expect there, from what the site has:

    score = weight x deficit x support
    deficit = 1 - patients / minimum patients
    support of a pair = product of the two levels' shares among patients who are known on both
        axes (expected share under independence)
    support of a level = the largest share of another level, halved for each step of distance on
        an ordered axis; 1 / number of levels on an unordered one
    weight = geometric mean of the axes' weights

so that an empty band beside a full one comes first, and combinations nobody would meet come last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from math import prod

from carez_desktop.domain.strata import (
    NOT_APPLICABLE,
    UNKNOWN,
    CoverageAxis,
    CoverageSubject,
    strata_of,
)
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind

__all__ = [
    "NOT_APPLICABLE",
    "UNKNOWN",
    "CoverageAxis",
    "CoverageCell",
    "CoverageGap",
    "CoverageMatrix",
    "CoverageSubject",
    "exclusion_of",
    "measure",
    "strata_of",
    "subjects_of",
]

_MODALITY = "modality"
_Combination = tuple[tuple[int, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class CoverageCell:
    """One level of one axis, or one pair of levels of two.

    Attributes:
        axes / strata: Names and levels in axis order, one or two of each.
        patients / volumes: Real ones in the cell.
        synthetic_volumes: Synthetic ones, never part of the two above.
    """

    axes: tuple[str, ...]
    strata: tuple[str, ...]
    patients: int
    volumes: int
    synthetic_volumes: int


@dataclass(frozen=True, slots=True)
class CoverageGap:
    """A possible cell with fewer patients than wanted.

    Attributes:
        support: Share of patients that one would expect there.
        score: See the module; higher comes first.
        modalities: Of the axes that concern only some (`CT` for dose).
    """

    axes: tuple[str, ...]
    strata: tuple[str, ...]
    patients: int
    synthetic_volumes: int
    support: float
    score: float
    modalities: tuple[str, ...] = ()

    @property
    def cell(self) -> dict[str, str]:
        """Axis name -> level; the modality before it where the axes concern only one."""
        only = {_MODALITY: self.modalities[0]} if len(self.modalities) == 1 else {}
        return only | dict(zip(self.axes, self.strata, strict=True))

    def __str__(self) -> str:
        """Say it in words for a person."""
        cell = ", ".join(f"{axis} {stratum}" for axis, stratum in self.cell.items())
        made = f", {self.synthetic_volumes} synthetic volumes" if self.synthetic_volumes else ""
        return f"{cell}: {self.patients} patients{made} (score {self.score:.2f})"


@dataclass(frozen=True, slots=True)
class CoverageMatrix:
    """What a set of volumes covers.

    Attributes:
        axes: With their levels as counted: declared ones first, then others that occur, then
            `unknown` where it occurs.
        cells: Every possible level and every possible pair of levels (`unknown` included where it
            occurs); a pair that is not here is impossible (dose of an MR).
        gaps: Ranked, the most telling first.
        pairwise_coverage / threewise_coverage: Covered share of the possible combinations of known
            levels, by real patients; 0 where there is no combination.
        pairwise_with_synthetic: The same when synthetic volumes count as well.
        patients / volumes / synthetic_volumes: In all.
        excluded: Why volumes were left out -> how many.
    """

    axes: tuple[CoverageAxis, ...]
    cells: tuple[CoverageCell, ...]
    gaps: tuple[CoverageGap, ...]
    pairwise_coverage: float
    threewise_coverage: float
    pairwise_with_synthetic: float
    patients: int
    volumes: int
    synthetic_volumes: int
    minimum_patients: int = 1
    stand_in: bool = False
    excluded: Mapping[str, int] = field(default_factory=dict)

    def cell(self, wanted: Mapping[str, str]) -> CoverageCell | None:
        """Return the cell of one or two levels by axis name; None for an impossible one."""
        for cell in self.cells:
            if dict(zip(cell.axes, cell.strata, strict=True)) == dict(wanted):
                return cell
        return None

    def axis(self, name: str) -> CoverageAxis:
        """Return an axis by name; KeyError for one that is not there."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise KeyError(name)


def exclusion_of(record: VolumeRecord) -> str:
    """Return why a volume is not counted (`derived`, `refused`, `localizer`), or ""."""
    if record.kind is VolumeKind.DERIVED:
        return "derived"
    if record.refusal:
        return "refused"
    if "LOCALIZER" in str(record.attributes.get("image_type") or "").upper():
        return "localizer"
    return ""


def subjects_of(
    records: Iterable[VolumeRecord], axes: Sequence[CoverageAxis]
) -> tuple[CoverageSubject, ...]:
    """Return what coverage counts of the given volumes."""
    return tuple(
        CoverageSubject(
            record.patient_id, strata_of(record, axes), record.kind is VolumeKind.SYNTHETIC
        )
        for record in records
        if not exclusion_of(record)
    )


def measure(
    items: Iterable[VolumeRecord | CoverageSubject],
    axes: Sequence[CoverageAxis],
    *,
    minimum_patients: int = 1,
    stand_in: bool = False,
) -> CoverageMatrix:
    """Count a set of volumes on the axes and rank the gaps.

    Args:
        items: Records of the library, or subjects (synthetic cases that are not in it). Derived
            and refused volumes and localizers are left out, with their number.
        axes: An axis that concerns only some modalities needs one named `modality` beside it.
        minimum_patients: With fewer real patients a possible cell is a gap.
        stand_in: Whether simulated studies play real here.

    Raises:
        ValueError: For a conditional axis without a `modality` axis, or two axes of one name.
    """
    subjects: list[CoverageSubject] = []
    excluded: dict[str, int] = {}
    for item in items:
        if isinstance(item, CoverageSubject):
            subjects.append(item)
            continue
        reason = exclusion_of(item)
        if reason:
            excluded[reason] = excluded.get(reason, 0) + 1
        else:
            subjects.extend(subjects_of([item], axes))
    grid = _Grid(axes, subjects)
    return CoverageMatrix(
        axes=grid.axes,
        cells=grid.cells(),
        gaps=grid.gaps(minimum_patients),
        pairwise_coverage=grid.combinatorial_coverage(2),
        threewise_coverage=grid.combinatorial_coverage(3),
        pairwise_with_synthetic=grid.combinatorial_coverage(2, with_synthetic=True),
        patients=len({subject.patient_id for subject in subjects if not subject.synthetic}),
        volumes=sum(not subject.synthetic for subject in subjects),
        synthetic_volumes=sum(subject.synthetic for subject in subjects),
        minimum_patients=minimum_patients,
        stand_in=stand_in,
        excluded=excluded,
    )


@dataclass(slots=True)
class _Tally:
    patients: set[str] = field(default_factory=set)
    volumes: int = 0
    synthetic: int = 0

    def add(self, other: _Tally) -> None:
        self.patients |= other.patients
        self.volumes += other.volumes
        self.synthetic += other.synthetic


class _Grid:
    """Subjects counted by every combination of one to three axes."""

    def __init__(self, axes: Sequence[CoverageAxis], subjects: Sequence[CoverageSubject]) -> None:
        names = [axis.name for axis in axes]
        if len(set(names)) != len(names):
            raise ValueError("two axes have one name")
        if any(axis.modalities for axis in axes) and _MODALITY not in names:
            raise ValueError("an axis for some modalities needs the axis `modality` beside it")
        self._modality = names.index(_MODALITY) if _MODALITY in names else -1
        profiles = _profiles(names, subjects)
        self.axes = tuple(
            _with_levels(axis, {profile[place] for profile in profiles})
            for place, axis in enumerate(axes)
        )
        self._tallies = _tallies(profiles)

    def cells(self) -> tuple[CoverageCell, ...]:
        """Return every possible cell of one and two axes."""
        return tuple(
            self._cell(places, strata)
            for size in (1, 2)
            for places, strata in self._possible(size, known=False)
        )

    def combinatorial_coverage(self, size: int, *, with_synthetic: bool = False) -> float:
        """Return the covered share of the possible combinations of known levels."""
        possible = covered = 0
        for combination in self._possible(size, known=True):
            possible += 1
            tally = self._tallies.get(combination)
            covered += tally is not None and (
                tally.volumes > 0 or (with_synthetic and tally.synthetic > 0)
            )
        return covered / possible if possible else 0.0

    def gaps(self, minimum: int) -> tuple[CoverageGap, ...]:
        """Return the maximal uncovered patterns of one and two axes, by score."""
        lacking: set[tuple[int, str]] = set()
        found: list[tuple[CoverageGap, tuple[int, ...]]] = []
        for size in (1, 2):
            for places, strata in self._possible(size, known=True):
                tally = self._tallies.get((places, strata), _Tally())
                levels = set(zip(places, strata, strict=True))
                if len(tally.patients) >= minimum or levels & lacking:
                    continue
                if size == 1:
                    lacking |= levels
                found.append((self._gap(places, strata, tally, minimum), places))
        found.sort(key=lambda item: (-round(item[0].score, 9), len(item[1]), item[1]))
        return tuple(gap for gap, _ in found)

    def _gap(
        self, places: tuple[int, ...], strata: tuple[str, ...], tally: _Tally, minimum: int
    ) -> CoverageGap:
        if len(places) == 1:
            support = self._neighbour_support(places[0], strata[0])
        else:
            support = self._pair_support(places, strata)
        weight = prod(self.axes[place].weight for place in places) ** (1 / len(places))
        deficit = 1 - len(tally.patients) / minimum
        return CoverageGap(
            tuple(self.axes[place].name for place in places),
            strata,
            len(tally.patients),
            tally.synthetic,
            support,
            weight * deficit * support,
            tuple(sorted(self._modalities(places))),
        )

    def _modalities(self, places: Iterable[int]) -> set[str]:
        limits = self._limits(places)
        return set.intersection(*limits) if limits else set()

    def _limits(self, places: Iterable[int]) -> list[set[str]]:
        stated = (self.axes[place].modalities for place in places)
        return [set(modalities) for modalities in stated if modalities]

    def _possible(self, size: int, *, known: bool) -> Iterable[_Combination]:
        for places in combinations(range(len(self.axes)), size):
            levels = [
                [level for level in self.axes[place].levels if not (known and level == UNKNOWN)]
                for place in places
            ]
            for strata in product(*levels):
                if self._is_possible(places, strata):
                    yield places, strata

    def _is_possible(self, places: tuple[int, ...], strata: tuple[str, ...]) -> bool:
        limits = self._limits(places)
        if not limits:
            return True
        allowed = set.intersection(set(self.axes[self._modality].levels), *limits)
        if self._modality in places:
            return strata[places.index(self._modality)] in allowed
        return bool(allowed)

    def _cell(self, places: tuple[int, ...], strata: tuple[str, ...]) -> CoverageCell:
        tally = self._tallies.get((places, strata), _Tally())
        return CoverageCell(
            tuple(self.axes[place].name for place in places),
            strata,
            len(tally.patients),
            tally.volumes,
            tally.synthetic,
        )

    def _share(self, place: int, level: str) -> float:
        """Share of a level among the patients whose level on that axis is known."""
        known: set[str] = set()
        for other in self.axes[place].levels:
            if other != UNKNOWN:
                known |= self._tallies.get(((place,), (other,)), _Tally()).patients
        here = self._tallies.get(((place,), (level,)), _Tally()).patients
        return len(here) / len(known) if known else 0.0

    def _pair_support(self, places: tuple[int, ...], strata: tuple[str, ...]) -> float:
        """Expected share under independence, among patients known (and concerned) on both axes."""
        known: set[str] = set()
        with_level: tuple[set[str], set[str]] = (set(), set())
        levels = [[lv for lv in self.axes[place].levels if lv != UNKNOWN] for place in places]
        for pair in product(*levels):
            tally = self._tallies.get((places, pair))
            if tally is not None:
                known |= tally.patients
                for found, here, wanted in zip(with_level, pair, strata, strict=True):
                    found |= tally.patients if here == wanted else set()
        return prod(len(found) / len(known) for found in with_level) if known else 0.0

    def _neighbour_support(self, place: int, level: str) -> float:
        levels = [other for other in self.axes[place].levels if other != UNKNOWN]
        if not self.axes[place].ordered:
            return 1 / len(levels)
        here = levels.index(level)
        return max(
            (
                self._share(place, other) * 0.5 ** (abs(there - here) - 1)
                for there, other in enumerate(levels)
                if there != here
            ),
            default=0.0,
        )


def _profiles(
    names: Sequence[str], subjects: Iterable[CoverageSubject]
) -> dict[tuple[str, ...], _Tally]:
    """Group subjects by their strata on all axes: far fewer than there are volumes."""
    profiles: dict[tuple[str, ...], _Tally] = {}
    for subject in subjects:
        profile = tuple(subject.strata.get(name, UNKNOWN) for name in names)
        tally = profiles.setdefault(profile, _Tally())
        if subject.synthetic:
            tally.synthetic += 1
        else:
            tally.volumes += 1
            tally.patients.add(subject.patient_id)
    return profiles


def _tallies(profiles: Mapping[tuple[str, ...], _Tally]) -> dict[_Combination, _Tally]:
    tallies: dict[_Combination, _Tally] = {}
    for profile, tally in profiles.items():
        for size in (1, 2, 3):
            for places in combinations(range(len(profile)), size):
                strata = tuple(profile[place] for place in places)
                if NOT_APPLICABLE not in strata:
                    tallies.setdefault((places, strata), _Tally()).add(tally)
    return tallies


def _with_levels(axis: CoverageAxis, seen: set[str]) -> CoverageAxis:
    more = sorted(seen - set(axis.levels) - {UNKNOWN, NOT_APPLICABLE})
    unknown = (UNKNOWN,) if UNKNOWN in seen else ()
    return replace(axis, levels=(*axis.levels, *more, *unknown))
