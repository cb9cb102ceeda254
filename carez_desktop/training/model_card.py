"""The model card of `hippocampus-flow`: text around figures that `measure_flow` computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CardFacts:
    """Everything that the card says in numbers.

    Attributes:
        counts: Volumes in each split.
        groups: Groups of near-duplicates and partners.
        parameters: Numbers that training changed.
        steps / minutes / batch: Length of the training.
        machine: Where it was trained, in words.
        validation: Loss of the averaged weights on the validation set, by fifths of time.
        choices: Rows of `choose_sampler`.
        chosen: Which row was taken.
        figures: What `measure` returned.
        ranges: Trained range of each condition, mm^3.
        seconds: Of one case here.
        note: What else a reader must know of this training.
        label_threshold: Of the label channels, which run from -1 to 1.
    """

    counts: Mapping[str, int]
    groups: int
    parameters: int
    steps: int
    minutes: float
    batch: int
    machine: str
    validation: Sequence[float]
    choices: Sequence[Mapping[str, Any]]
    chosen: Mapping[str, Any]
    figures: Mapping[str, Any]
    ranges: Mapping[str, tuple[float, float]]
    seconds: float
    label_threshold: float
    note: str = ""


def write_card(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    return (
        "\n\n".join(
            (
                _HEAD,
                _USE,
                _data(facts),
                _training(facts),
                _choices(facts),
                _figures(facts),
                _limits(facts),
                _REPEAT,
            )
        )
        + "\n"
    )


_HEAD = """---
license: cc-by-sa-4.0
tags: [medical, mri, hippocampus, rectified-flow, synthetic, 3d]
---
# hippocampus-flow 1.0.0

A conditional 3-D rectified flow that makes small MR volumes of one hippocampus (40 x 48 x 32 voxels
of 1 mm) together with the label map of its anterior and posterior part, from the requested volumes
of the two parts. **Research use only.**"""

_USE = """## Intended use

Tests of software, augmentation, teaching, and a worked example of a generator package.
Not for diagnosis, not as a test set, not for any person's care. Real data stays the source of
truth."""

_REPEAT = """## Train it again

Two minutes (any machine, to see that it works):

    python -m carez_desktop.training.train_flow --data DIR --out OUT --minutes 2
    python -m carez_desktop.training.publish_flow --data DIR --checkpoint OUT/checkpoint.pt \\
        --out NEW

The weights of this package: the same with `--minutes 84`. DIR holds `images/` and `labels/` of
Task04_Hippocampus. `--resume` continues a stopped training; with `--steps N` in place of
`--minutes` it is repeatable bit for bit on one machine."""


def _data(facts: CardFacts) -> str:
    counts = facts.counts
    return f"""## Data

Medical Segmentation Decathlon, Task04_Hippocampus (Simpson et al., arXiv:1902.09063), licence
CC BY-SA 4.0, and so are these weights: {_total(facts)} volumes with labels. T1-weighted according
to the data's authors; healthy adults and adults with a psychotic disorder, one centre; patients are
not identified. Volumes numbered 2k-1 and 2k are far more alike than other neighbours (median
correlation 0.62 against 0.44), so they are taken as two sides of one person and kept in one group,
with all pairs that correlate above 0.70; other volumes of one person cannot be known.
{facts.groups} groups, dealt whole: {counts["training"]} volumes training, {counts["validation"]}
validation (settings were chosen on them), {counts["unseen"]} unseen
(only the last table was computed on them).
`training.json` names each volume by digest.

All volumes look like one side, so the source may have mirrored the other: **left and right carry no
meaning.** Where a source volume ends inside the box (12 % of the voxels in the median), the loss is
ignored."""


def _total(facts: CardFacts) -> int:
    return sum(facts.counts.values())


def _training(facts: CardFacts) -> str:
    note = f"\n{facts.note}" if facts.note else ""
    losses = ", ".join(f"{value:.3f}" for value in facts.validation)
    return f"""## Training

U-Net with {facts.parameters:,} parameters on one level of the orthonormal Haar transform
(3 channels x 8 bands, 20 x 24 x 16). Loss on the velocity, weighted by each band's
amplitude; AdamW, cosine from 1e-3, batch {facts.batch}, averaged weights, 10 % null condition,
shifts of up to 2 voxels; bfloat16 convolutions in training, float32 in the package (weights stored
as float16).
{facts.steps:,} steps in {facts.minutes:.0f} minutes on {facts.machine}, beside other work.
Validation loss by fifths of time, from data to noise: {losses}.{note}"""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _choices(facts: CardFacts) -> str:
    rows = [
        _row("sampler", "steps", "guidance", "evaluations", "kernel", "sharpness", "error mm3"),
        _row(*["---"] * 7),
    ]
    for row in facts.choices:
        mark = " **(taken)**" if row == facts.chosen else ""
        rows.append(
            _row(
                f"{row['sampler']}{mark}",
                str(row["steps"]),
                str(row["guidance"]),
                str(row["evaluations"]),
                f"{row['kernel_distance']:.3f}",
                f"{row['sharpness']:.2f}",
                f"{row['volume_error_mm3']:.0f}",
            )
        )
    return (
        f"""## Sampler, chosen on the validation set

Smallest kernel distance to the validation set wins. Sharpness: neighbour differences over those of
real volumes. Error: of the label volumes against the request. One case takes
{facts.seconds:.1f} s in torch on 2 cores.

"""
        + "\n".join(rows)
        + f"""

Then the threshold of the label channels (-1 to 1) was set to {facts.label_threshold:+.2f},
where the volumes made for the validation set's requests have the requested sum."""
    )


def _figures(facts: CardFacts) -> str:
    figures = facts.figures
    rows = [
        _row("measured", "generated", "real for comparison"),
        _row("---", "---", "---"),
        *_distribution_rows(figures["distribution"]),
        *_copy_rows(figures["copies"], figures["n"]["generated"]),
        *_label_rows(figures["labels"]),
        *(_response_row(name, found) for name, found in figures["response"].items()),
    ]
    return f"""## Measured on the {figures["n"]["unseen"]} unseen scans

{figures["n"]["generated"]} cases with the unseen scans' conditions;
{figures["response_n"]} more with requests spread over the trained range for the last two rows.
Floor: real training volumes in place of generated ones, median and 95 % of 50 draws. Intervals of
slopes: bootstrap. The features are simple (32 principal components of block means and deviations),
so the figures compare with nothing published.

""" + "\n".join(rows)


def _distribution_rows(spread: Mapping[str, Any]) -> list[str]:
    kernel, histogram = spread["kernel_floor"], spread["histogram_floor"]
    pairs = spread["pair_correlation"]
    return [
        _row(
            "kernel distance (0 is best)",
            f"{spread['kernel_distance']:.3f}",
            f"floor {kernel['median']:.3f} ({kernel['low']:.3f} to {kernel['high']:.3f})",
        ),
        _row(
            "histogram distance (Wasserstein-1, range 0..1)",
            f"{spread['histogram_distance']:.4f}",
            f"floor {histogram['median']:.4f} ({histogram['low']:.4f} to {histogram['high']:.4f})",
        ),
        _row("neighbour differences over real", f"{spread['sharpness_ratio']:.2f}", "1"),
        _row(
            "mean correlation of two volumes (lower is more diverse)",
            f"{pairs['generated']:.3f}",
            f"{pairs['unseen']:.3f}",
        ),
    ]


def _copy_rows(copies: Mapping[str, Any], count: int) -> list[str]:
    made, real = copies["generated"], copies["unseen"]
    return [
        _row(
            "correlation to the nearest training volume, median (maximum)",
            f"{made['median']:.3f} ({made['maximum']:.3f})",
            f"{real['median']:.3f} ({real['maximum']:.3f})",
        ),
        _row(
            "cases nearer to training than 95 % of the unseen scans",
            f"{copies['generated_above_limit']} of {count}",
            f"limit {copies['limit']:.3f}",
        ),
    ]


def _label_rows(labels: Mapping[str, Any]) -> list[str]:
    made, real = labels["generated"], labels["unseen"]
    return [
        _row(
            "intensity inside the labels minus outside",
            f"{made['contrast']['mean']:+.3f}",
            f"{real['contrast']['mean']:+.3f}",
        ),
        _row(
            "share of the label in its largest connected part",
            f"{made['main_component']['mean']:.3f}",
            f"{real['main_component']['mean']:.3f}",
        ),
    ]


def _response_row(name: str, found: Mapping[str, Any]) -> str:
    low, high = found["slope_interval"]
    return _row(
        f"{name}, measured against requested",
        f"slope {found['slope']:.2f} ({low:.2f} to {high:.2f}), R2 {found['r_squared']:.2f}, "
        f"mean error {found['mean_absolute_error_mm3']:.0f}, bias {found['bias_mm3']:+.0f} mm3",
        "slope 1, error 0",
    )


def _limits(facts: CardFacts) -> str:
    ranges = "; ".join(
        f"`{name}` {low:.0f} to {high:.0f}" for name, (low, high) in facts.ranges.items()
    )
    return f"""## Limits

- Trained ranges in mm3: {ranges}. A request outside is refused.
- Where a generated figure above lies outside the floor, a test can tell the sets apart.
- The label map comes from the same network as the image; no person has checked it.
- One hippocampus in a small box at 1 mm; no lesions, no atrophy beyond the ranges, no other
  contrast. Intensities are arbitrary: 0 and 1000 stand for the 0.5th and 99.5th percentile.
- Nobody has judged these volumes in a blinded reading."""
