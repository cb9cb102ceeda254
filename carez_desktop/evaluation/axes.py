"""The six axes from the evidence, judged by the plan.

A bundle may hold cases of several generators. The one with most cases is what the plan's margins
judge; the measurements of the others stand beside it with the generator's name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from carez_desktop.domain.evaluation import Axis, AxisResult, Measurement
from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.evaluation.bias import bias_measurements, subgroup_recalls
from carez_desktop.evaluation.distances import FloatArray
from carez_desktop.evaluation.diversity import cell_measurements, vendi_measurement
from carez_desktop.evaluation.evidence import CaseEvidence, Evidence, ImageEvidence
from carez_desktop.evaluation.fidelity import (
    READER_STUDY,
    distribution_measurements,
    noise_against_real,
    paired_noise_measurements,
)
from carez_desktop.evaluation.intervals import clopper_pearson_interval
from carez_desktop.evaluation.memorization import (
    copy_measurements,
    hash_distance,
    nearest_correlation,
    screen_for_copies,
)
from carez_desktop.evaluation.scorecard import judge_axis, missing
from carez_desktop.evaluation.traceability import traceability_measurements
from carez_desktop.evaluation.utility import REAL, WITH_SYNTHETIC, lift_measurements

REQUIRED_FIELDS = (
    "generator_id",
    "generator_version",
    "package_digest",
    "seed",
    "conditions",
    "image_sha256",
    "details",
)

_CELL_AXES = ("modality", "dose", "field_strength")


@dataclass(frozen=True, eq=False)
class _Group:
    """The cases of one generator, and the real volumes that they stand beside.

    Attributes:
        cell: Levels that all of its cases share, on the axes that the plan names.
        peers: Real volumes in that cell whose patients are no source.
    """

    generator_id: str
    cases: tuple[CaseEvidence, ...]
    cell: dict[str, str]
    in_cell: tuple[ImageEvidence, ...]
    peers: tuple[ImageEvidence, ...]
    same_modality: tuple[ImageEvidence, ...]

    @property
    def is_conditioned(self) -> bool:
        return any(case.is_conditioned for case in self.cases)

    @property
    def sources(self) -> set[str]:
        return {case.image.patient for case in self.cases if case.image.patient}


def _groups(evidence: Evidence, plan: EvaluationPlan) -> list[_Group]:
    """Group the cases by generator, the plan's own or the largest first."""
    names = sorted({case.generator_id for case in evidence.cases})
    wanted = plan.pilot.generator_id.partition("@")[0] if plan.pilot else ""
    sizes = {name: sum(case.generator_id == name for case in evidence.cases) for name in names}
    names.sort(key=lambda name: (name != wanted, -sizes[name], name))
    groups = []
    for name in names:
        cases = tuple(case for case in evidence.cases if case.generator_id == name)
        axes = tuple(plan.pilot.gap) if plan.pilot and name == wanted else _CELL_AXES
        cell = {}
        for axis in axes:
            levels = {case.image.strata.get(axis, "") for case in cases}
            if len(levels) == 1 and levels != {""}:
                cell[axis] = levels.pop()
        modality = cases[0].image.modality
        same = tuple(image for image in evidence.real if image.modality == modality)
        inside = tuple(
            image
            for image in same
            if all(image.strata.get(axis) == level for axis, level in cell.items())
        )
        sources = {case.image.patient for case in cases if case.image.patient}
        peers = tuple(image for image in inside if image.patient not in sources)
        groups.append(_Group(name, cases, cell, inside, peers, same))
    return groups


def _feature_rows(
    images: Sequence[ImageEvidence], *, by_patient: bool = True
) -> tuple[FloatArray, list[str]]:
    """Return (n, d) features, averaged over the volumes of each patient, and their names."""
    if not images:
        return np.empty((0, 0)), []
    names = list(images[0].features)
    owners = [image.patient if by_patient and image.patient else image.key for image in images]
    table = np.array([[image.features[name] for name in names] for image in images])
    keys = sorted(set(owners))
    places = np.array(owners)
    return np.stack([table[places == key].mean(axis=0) for key in keys]), names


def _named(measurements: Sequence[Measurement], group: _Group, first: bool) -> list[Measurement]:
    """Put the generator's name behind the measurements of all groups but the first."""
    if first:
        return list(measurements)
    return [
        replace(found, name=f"{found.name} [{group.generator_id}]", margin="")
        for found in measurements
    ]


def fidelity_axis(evidence: Evidence, plan: EvaluationPlan) -> AxisResult:
    """Compare noise and features with the sources and with real volumes of the target cell."""
    found: list[Measurement] = []
    for place, group in enumerate(_groups(evidence, plan)):
        own: list[Measurement] = []
        pairs = [case.paired for case in group.cases if case.paired is not None]
        if pairs:
            own += paired_noise_measurements(pairs, plan)
            own.append(
                noise_against_real(
                    [(c.image.patient, c.image.features["noise_sd"]) for c in group.cases],
                    [
                        (image.patient, image.features["noise_sd"])
                        for image in group.in_cell
                        if image.key not in {case.source_key for case in group.cases}
                    ],
                    plan,
                )
            )
        real, names = _feature_rows(group.peers)
        made, _ = _feature_rows([case.image for case in group.cases])
        if len(real):
            everyone, _ = _feature_rows(group.same_modality)
            own += distribution_measurements(real, made, names, plan, scale_by=everyone)
        else:
            reason = "The cohort has no real volume of the target cell but the sources"
            own += [missing("kernel_distance", reason), missing("frechet_distance", reason)]
        found += _named(own, group, place == 0)
    found.append(READER_STUDY)
    return judge_axis(
        Axis.FIDELITY,
        found,
        plan,
        method="Noise and HU against the source and real peers; distances over IBSI features",
    )


def diversity_axis(evidence: Evidence, plan: EvaluationPlan) -> AxisResult:
    """Count the target cell before and after; compare the effective number of cases with real."""
    found: list[Measurement] = []
    cells = {}
    for place, group in enumerate(_groups(evidence, plan)):
        own = list(
            cell_measurements(
                before=len(group.in_cell),
                added=len(group.cases),
                distinct_sources=len(group.sources) if group.is_conditioned else None,
            )
        )
        real, _ = _feature_rows(group.same_modality)
        made, _ = _feature_rows([case.image for case in group.cases], by_patient=False)
        if len(real) < 3:
            own.append(
                missing(
                    "vendi_ratio_to_real",
                    f"{len(real)} real patients of this modality; at least 3 needed",
                    n=len(real),
                )
            )
        else:
            own.append(vendi_measurement(real, made, plan))
        cells[group.generator_id] = dict(group.cell)
        found += _named(own, group, place == 0)
    return judge_axis(
        Axis.DIVERSITY,
        found,
        plan,
        method="Counts of the target cell; Vendi score against real patients at equal n",
        details={"target_cells": cells},
    )


def non_memorization_axis(evidence: Evidence, plan: EvaluationPlan) -> AxisResult:
    """Screen for copies, or say how plainly image-conditioned cases show their source."""
    found: list[Measurement] = []
    unable: list[str] = []
    for place, group in enumerate(_groups(evidence, plan)):
        if group.is_conditioned:
            own = _conditioned_measurements(group, plan)
            unable.append(
                f"{group.generator_id} is image-conditioned: each case shows its source's anatomy "
                "by design and keeps the source's protection"
            )
        else:
            own = _screened(group, evidence, plan)
            if own[0].value is None:
                unable.append(f"{group.generator_id}: {own[0].reason}")
        found += _named(own, group, place == 0)
    return judge_axis(
        Axis.NON_MEMORIZATION,
        found,
        plan,
        method="3-D perceptual hash and nearest correlation over 8 flips; screening, no guarantee",
        unable="; ".join(unable),
    )


def _screened(group: _Group, evidence: Evidence, plan: EvaluationPlan) -> list[Measurement]:
    """Screen an unconditional group against the volumes that its generator says it saw."""
    seen_keys = {
        str(key) for case in group.cases for key in case.record.get("training_volumes", ())
    }
    seen = [image for image in evidence.real if image.key in seen_keys]
    if not seen:
        return [
            missing(
                "copy_alarms",
                "the volumes that it was trained on are not in this cohort; its model card states "
                "what was found where it was trained",
            )
        ]
    patients = {image.patient for image in seen}
    held_out = [
        (image.patient, image.cube)
        for image in group.same_modality
        if image.key not in seen_keys and image.patient not in patients
    ]
    screen = screen_for_copies(
        [case.image.cube for case in group.cases],
        [image.cube for image in seen],
        held_out,
        alarm_share=plan.copy_alarm_share,
    )
    return list(copy_measurements(screen, plan, independent=len(group.cases)))


def _conditioned_measurements(group: _Group, plan: EvaluationPlan) -> list[Measurement]:
    """Say how plainly a case shows its source: correlation, hash, and whether it is found again."""
    by_key = {image.key: image for image in group.same_modality}
    pairs = [(case, by_key[case.source_key]) for case in group.cases if case.source_key in by_key]
    if not pairs:
        return [missing("source_correlation", "The sources are not in this cohort")]
    correlations = [nearest_correlation(case.image.cube, [own.cube])[0] for case, own in pairs]
    hashes = [hash_distance(own.cube, case.image.cube) for case, own in pairs]
    n = len({own.patient for _, own in pairs})
    found = [
        Measurement(
            "source_correlation",
            float(np.median(correlations)),
            None,
            n,
            method="Median Pearson correlation with the own source (32^3)",
            reference=1.0,
        ),
        Measurement(
            "source_hash_distance",
            float(np.median(hashes)),
            None,
            n,
            unit="bits",
            method="Median Hamming distance to the own source over 8 flips, 215 bits",
            reference=107.5,
        ),
    ]
    others = group.same_modality
    if len({image.patient for image in others}) > 1:
        nearest = [
            others[nearest_correlation(case.image.cube, [other.cube for other in others])[1]]
            for case, _ in pairs
        ]
        hits = sum(
            image.patient == own.patient for image, (_, own) in zip(nearest, pairs, strict=True)
        )
        found.append(
            Measurement(
                "source_found_again",
                hits / len(pairs),
                clopper_pearson_interval(hits, len(pairs), plan.confidence),
                len(pairs),
                confidence=plan.confidence,
                method="Cases whose nearest real volume shows the source's own patient",
                reference=1.0 / len({image.patient for image in others}),
            )
        )
    return found


def utility_axis(evidence: Evidence, plan: EvaluationPlan) -> AxisResult:
    """Measure the lift of training with the synthetic cases on held-out real patients."""
    study = evidence.utility
    if study is None:
        return judge_axis(
            Axis.UTILITY,
            [missing("recall_lift", evidence.utility_reason)],
            plan,
            unable=evidence.utility_reason,
        )
    return judge_axis(
        Axis.UTILITY,
        lift_measurements(study, plan),
        plan,
        method=(
            f"Two arms, {len(study.seeds)} seeds, equal steps; threshold from validation; "
            f"{len(study.keys)} held-out volumes of {len(set(study.patients))} patients"
        ),
        details={
            "training_volumes": dict(study.sizes),
            "seeds": list(study.seeds),
            "thresholds": {arm: list(values) for arm, values in study.thresholds.items()},
            "lesions": int(study.table(REAL, "lesions")[:, 0].sum()),
        },
    )


def bias_axis(evidence: Evidence, plan: EvaluationPlan) -> AxisResult:
    """Measure recall in subgroups and whether their gap narrows."""
    study = evidence.utility
    if study is None:
        reason = f"Recall in subgroups needs a trained model: {evidence.utility_reason}"
        return judge_axis(Axis.BIAS, [missing("subgroup_recall", reason)], plan, unable=reason)
    rows = [
        {
            "attribute": row.attribute,
            "level": row.level,
            "recall_real": row.recall[REAL],
            "recall_with_synthetic": row.recall[WITH_SYNTHETIC],
        }
        for row in subgroup_recalls(study)
        if row.lesions >= 10
    ]
    found = bias_measurements(study, plan)
    unable = (
        ""
        if any(entry.value is not None for entry in found)
        else ("No subgroup has 10 lesions in the held-out patients")
    )
    return judge_axis(
        Axis.BIAS,
        found,
        plan,
        method="Lesion recall by subgroup of the held-out patients",
        details={"subgroups": rows},
        unable=unable,
    )


def traceability_axis(evidence: Evidence, plan: EvaluationPlan) -> AxisResult:
    """Count the cases that come out identical when made again, and complete records."""
    return judge_axis(
        Axis.TRACEABILITY,
        traceability_measurements(
            evidence.outcomes,
            [case.record for case in evidence.cases],
            plan,
            required=REQUIRED_FIELDS,
        ),
        plan,
        method=(
            f"{len(evidence.outcomes)} of {len(evidence.cases)} cases made again from their "
            "records and compared bit by bit"
        ),
        details={
            "cases": len(evidence.cases),
            "outcomes": dict(sorted(Counter(evidence.outcomes).items())),
        },
    )


def evaluate_axes(evidence: Evidence, plan: EvaluationPlan) -> tuple[AxisResult, ...]:
    """Compute and judge all six axes."""
    return (
        fidelity_axis(evidence, plan),
        diversity_axis(evidence, plan),
        non_memorization_axis(evidence, plan),
        utility_axis(evidence, plan),
        bias_axis(evidence, plan),
        traceability_axis(evidence, plan),
    )
