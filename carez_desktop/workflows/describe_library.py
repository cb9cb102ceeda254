"""What the whole library is: above all whether simulated studies play the part of real ones."""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.workflows.context import WorkflowContext


@dataclass(frozen=True, slots=True)
class LibraryFacts:
    """The library in brief.

    Attributes:
        stand_in: Simulated studies play real here; everything shown has to say so.
        volumes: How many it holds; likewise patients, studies, series and image files.
    """

    stand_in: bool
    volumes: int
    patients: int
    studies: int
    series: int
    instances: int


def describe_library(context: WorkflowContext) -> LibraryFacts:
    """Describe the library.

    Raises:
        StorageError: The library cannot be read.
    """
    counts = context.library.counts()
    return LibraryFacts(
        context.library.simulated_stand_in,
        counts.volumes,
        counts.patients,
        counts.studies,
        counts.series,
        counts.instances,
    )
