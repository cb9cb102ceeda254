"""What must be said of a pane's picture when it leaves the workstation."""

from __future__ import annotations

from carez_desktop.domain.picture import PictureFacts
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane


def picture_facts(pane: Pane, *, shows_identity: bool = False) -> PictureFacts:
    """Return the facts of a pane that shows something.

    Every layer counts whose pixels may be seen, the second one in any mode of comparison.

    Args:
        pane: With a base layer.
        shows_identity: Whether its corner texts name the patient.

    Raises:
        ValueError: The pane is empty.
    """
    if pane.base is None or pane.viewport is None:
        raise ValueError("an empty pane has no picture")
    layers = _seen(pane)
    base = pane.base.layer
    burned_in = {_fact(layer, "burned_in_annotation").upper() for layer in layers}
    calibrated = base.is_calibrated
    return PictureFacts(
        tuple(dict.fromkeys(layer.volume.volume_id for layer in layers)),
        base.volume.modality,
        is_synthetic=any(layer.is_synthetic for layer in layers),
        is_stand_in=any(layer.is_stand_in for layer in layers),
        shows_identity=shows_identity,
        burned_in="YES" if "YES" in burned_in else ("" if "" in burned_in else "NO"),
        lossy=any(_fact(layer, "lossy_image_compression") == "01" for layer in layers),
        mm_per_pixel=pane.viewport.mm_per_pixel if calibrated else 0.0,
    )


def _seen(pane: Pane) -> tuple[Layer, ...]:
    second = pane.second if pane.is_comparing else None
    placed = (pane.base, second, *pane.overlays)
    return tuple(item.layer for item in placed if item is not None)


def _fact(layer: Layer, name: str) -> str:
    return str(layer.volume.attributes.get(name) or "")
