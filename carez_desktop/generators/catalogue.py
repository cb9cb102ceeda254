"""Which module runs a family; modules are imported only when their family is asked for."""

from __future__ import annotations

import importlib
from typing import cast

from carez_desktop.domain.generation import GenerateCase
from carez_desktop.errors import ModelError

_FAMILIES = {
    "diffusion": ("carez_desktop.generators.diffusion", "DiffusionFamily"),
    "low_dose_ct": ("carez_desktop.generators.low_dose_ct", "generate_case"),
}
"""Family -> module and name of a `GenerateCase`, or of a class whose objects are one."""


def family_function(family: str) -> GenerateCase:
    """Return what makes the cases of a family.

    A family with a process of its own keeps it loaded as long as the returned object lives: ask
    once for a cohort, not once for a case.

    Raises:
        ModelError: A family that this version does not know.
    """
    if family not in _FAMILIES:
        raise ModelError(
            f"This version does not know the family {family}",
            subject=family,
            hint="Known: " + ", ".join(sorted(_FAMILIES)) + "; update Carez Desktop",
        )
    module, name = _FAMILIES[family]
    found = getattr(importlib.import_module(module), name)
    return cast("GenerateCase", found() if isinstance(found, type) else found)
