"""Choose the sampler, measure, export and write the package of a trained flow.

python -m carez_desktop.training.publish_flow --data DIR --checkpoint FILE --out MODELS
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from carez_desktop.training.export_flow import export_checked
from carez_desktop.training.flow_network import count_parameters
from carez_desktop.training.flow_sampling import load_trained
from carez_desktop.training.golden_case import golden_case
from carez_desktop.training.measure_flow import (
    calibrate_threshold,
    choose_sampler,
    generate,
    measure,
)
from carez_desktop.training.model_card import CardFacts, write_card
from carez_desktop.training.package_flow import (
    PackageContent,
    describe_volumes,
    latent_shape,
    schedule_of,
    trained_ranges,
    write_package,
)
from carez_desktop.training.train_flow import ExampleSource, load_splits, validation_losses


def publish(
    data: Path,
    checkpoint: Path,
    out: Path,
    *,
    generator_id: str,
    version: str,
    machine: str,
    note: str = "",
) -> Path:
    """Write the package of a checkpoint and return its folder.

    Raises:
        CarezError: A source that cannot be read, or a graph that differs from torch.
    """
    volumes, groups, splits = load_splits(data)
    parts = {
        name: [v for v, split in zip(volumes, splits, strict=True) if split == name]
        for name in ("training", "validation", "unseen")
    }
    trained = load_trained(checkpoint)
    ranges = trained_ranges(parts["training"])
    choice, rows = choose_sampler(trained, parts["training"], parts["validation"], ranges)
    trained = dataclasses.replace(
        trained,
        label_threshold=calibrate_threshold(trained, choice, parts["validation"], ranges),
    )
    figures = measure(trained, choice, parts["training"], parts["unseen"], ranges)
    started = time.monotonic()
    generate(trained, choice, np.array([trained.scale.condition_mean]), seed=1)
    seconds = time.monotonic() - started
    schedule = schedule_of(choice.sampler, choice.steps, choice.guidance)
    graph, difference = export_checked(trained.network, latent_shape())
    facts = CardFacts(
        counts=dict(Counter(splits)),
        groups=len(set(groups)),
        parameters=count_parameters(trained.network),
        steps=trained.steps,
        minutes=trained.minutes,
        batch=int(str(trained.training_plan["batch"])),
        machine=machine,
        validation=validation_losses(
            trained.network, ExampleSource(parts["validation"], trained.scale), trained.scale
        ),
        choices=rows,
        chosen=next(row for row in rows if asdict(choice).items() <= row.items()),
        figures=figures,
        ranges=ranges,
        seconds=seconds,
        label_threshold=trained.label_threshold,
        note=note,
    )
    sys.stdout.write(json.dumps(asdict(facts), indent=1) + "\n")
    content = PackageContent(
        generator_id=generator_id,
        version=version,
        plan=trained.network.plan,
        scale=trained.scale,
        ranges=ranges,
        schedule=schedule,
        volumes=describe_volumes(volumes, groups, splits),
        card=write_card(facts),
        golden=golden_case(
            graph, trained.network.plan, trained.scale, schedule, trained.label_threshold
        ),
        label_threshold=trained.label_threshold,
        parameters=facts.parameters,
        parity=difference,
    )
    return write_package(out, content, graph)


def main(arguments: list[str] | None = None) -> None:
    """Publish from the command line."""
    parser = argparse.ArgumentParser(description="Write the package of a trained flow")
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of packages")
    parser.add_argument("--id", default="hippocampus-flow")
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--machine", default="2 cores of an AMD EPYC, no GPU")
    parser.add_argument("--note", default="", help="a sentence for the model card")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    folder = publish(
        options.data,
        options.checkpoint,
        options.out,
        generator_id=options.id,
        version=options.version,
        machine=options.machine,
        note=options.note,
    )
    sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    main()
