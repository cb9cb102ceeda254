"""From conditions to a context, and from a latent to an image with labels, as a package says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.generation import ConditionValue, GeneratorPackage
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.errors import ModelError
from carez_desktop.inference.haar import BANDS, haar3d_inverse
from carez_desktop.inference.package_store import MANIFEST, read_package_json

Float32Array = npt.NDArray[np.float32]

NORMALISATION = "normalisation.json"
_REPAIR = "Install the package again (docs/reference/model-package.md has the keys)"


@dataclass(frozen=True, slots=True)
class LabelChannel:
    """One decoded channel that votes for one label value."""

    index: int
    name: str
    value: int
    code: tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class LatentLayout:
    """How a package's latents are laid out.

    Attributes:
        latent_shape: (channels, slices, rows, columns) of what the network sees.
        conditions: (name, mean, standard deviation) in the order of the context's columns.
        latent_mean / latent_std: float64 [channels].
        channel_range: Values of the image channel that map to the ends of `value_range`.
        value_range: Least and largest modality value.
        image_channel: Index of the image among the decoded channels.
        labels: Decoded label channels.
        label_threshold: A voxel is background where no label channel exceeds it.
        label_map: Name of the label map; "" without labels.
        geometry: Grid of the decoded image in LPS mm.
    """

    latent_shape: tuple[int, int, int, int]
    conditions: tuple[tuple[str, float, float], ...]
    latent_mean: npt.NDArray[np.float64]
    latent_std: npt.NDArray[np.float64]
    channel_range: tuple[float, float]
    value_range: tuple[float, float]
    image_channel: int
    labels: tuple[LabelChannel, ...]
    label_threshold: float
    label_map: str
    geometry: VolumeGeometry


@dataclass(frozen=True, eq=False)
class DecodedCase:
    """A decoded latent.

    Attributes:
        image: float32 [slice, row, column], inside the value range.
        labels: uint8 [slice, row, column]; all background without label channels.
        outside_share: Share of voxels that lay more than 5 % of the range outside it before they
            were clipped.
    """

    image: Float32Array
    labels: npt.NDArray[np.uint8]
    outside_share: float


def read_layout(package: GeneratorPackage) -> LatentLayout:
    """Read the layout of a checked package.

    Raises:
        ModelError: A key that is missing or does not fit the others.
    """
    try:
        return _layout(package.manifest.raw, read_package_json(package, NORMALISATION))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"The layout of the latent cannot be read: {type(error).__name__} {error}",
            subject=f"{package.folder / MANIFEST}, {NORMALISATION}",
            hint=_REPAIR,
        ) from None


def _layout(manifest: Mapping[str, Any], normalisation: Mapping[str, Any]) -> LatentLayout:
    latent, outputs = manifest["latent"], manifest["outputs"]
    if latent["codec"] != "haar3d":
        raise ValueError(f"codec {latent['codec']}")
    channels = int(latent["channels"])
    depth, rows, columns = (int(extent) for extent in latent["shape"])
    decoded = manifest["channels"]
    if channels != BANDS * len(decoded):
        raise ValueError(f"{channels} latent channels for {len(decoded)} decoded channels")
    geometry = _geometry(manifest["geometry"])
    if geometry.shape != (2 * depth, 2 * rows, 2 * columns):
        raise ValueError(f"geometry {geometry.shape} is not twice the latent's grid")
    mean = np.asarray(normalisation["latent"]["mean"], dtype=np.float64)
    std = np.asarray(normalisation["latent"]["std"], dtype=np.float64)
    if mean.shape != (channels,) or std.shape != (channels,):
        raise ValueError("latent mean and std need one number for each channel")
    roles = [str(channel["role"]) for channel in decoded]
    return LatentLayout(
        latent_shape=(channels, depth, rows, columns),
        conditions=tuple(
            (str(item["name"]), float(item["mean"]), float(item["std"]))
            for item in normalisation["context"]["conditions"]
        ),
        latent_mean=mean,
        latent_std=std,
        channel_range=_pair(normalisation["image"]["channel_range"]),
        value_range=_pair(outputs["value_range"]),
        image_channel=roles.index("image"),
        labels=tuple(
            _label(index, channel)
            for index, channel in enumerate(decoded)
            if roles[index] == "label"
        ),
        label_threshold=float(normalisation.get("labels", {}).get("threshold", 0.0)),
        label_map=str(outputs.get("label_map", "")),
        geometry=geometry,
    )


def _geometry(entry: Mapping[str, Any]) -> VolumeGeometry:
    slices, rows, columns = (int(extent) for extent in entry["shape"])
    first, second, third = (float(step) for step in entry["spacing_mm"])
    return VolumeGeometry.from_parts(
        (slices, rows, columns),
        (first, second, third),
        entry["origin_lps"],
        entry["direction_lps"],
    )


def _label(index: int, channel: Mapping[str, Any]) -> LabelChannel:
    value, scheme, meaning = (str(part) for part in channel["code"])
    return LabelChannel(
        index, str(channel["name"]), int(channel["value"]), (value, scheme, meaning)
    )


def _pair(values: Sequence[Any]) -> tuple[float, float]:
    low, high = (float(value) for value in values)
    if not low < high:
        raise ValueError(f"the range {low} to {high} is empty")
    return low, high


def context_of(layout: LatentLayout, conditions: Mapping[str, ConditionValue]) -> Float32Array:
    """Return the context of resolved conditions: standardised, then 1 for "conditioned".

    Returns:
        float32 [conditions + 1].

    Raises:
        ModelError: The package standardises a condition that its schema does not have.
    """
    row = []
    for name, mean, std in layout.conditions:
        if name not in conditions:
            raise ModelError(
                f"The package standardises {name}, which its schema does not have",
                subject=NORMALISATION,
                hint=_REPAIR,
            )
        row.append((float(conditions[name]) - mean) / std)
    return np.array([*row, 1.0], dtype=np.float32)


def null_context_of(layout: LatentLayout) -> Float32Array:
    """Return the context of no condition: all zeros, float32 [conditions + 1]."""
    return np.zeros(len(layout.conditions) + 1, dtype=np.float32)


def decode_latent(layout: LatentLayout, latent: Float32Array) -> DecodedCase:
    """Turn a latent into an image and its labels.

    Args:
        layout: Of the package.
        latent: float32 [channels, slices, rows, columns] at t = 0.

    Raises:
        ModelError: The latent has values that are not finite; nothing of it is kept.
    """
    if not np.isfinite(latent).all():
        raise ModelError(
            "The network gave values that are not numbers",
            subject="denoiser",
            hint="Run it on the processor (--device cpu); if it comes back, report the package",
        )
    scale = layout.latent_std[:, None, None, None]
    shift = layout.latent_mean[:, None, None, None]
    decoded = haar3d_inverse(latent.astype(np.float64) * scale + shift)
    low, high = layout.channel_range
    fraction = (decoded[layout.image_channel].astype(np.float64) - low) / (high - low)
    outside = float(np.mean((fraction < -0.05) | (fraction > 1.05)))
    least, largest = layout.value_range
    image = least + np.clip(fraction, 0.0, 1.0) * (largest - least)
    return DecodedCase(image.astype(np.float32), _label_array(layout, decoded), outside)


def _label_array(layout: LatentLayout, decoded: Float32Array) -> npt.NDArray[np.uint8]:
    if not layout.labels:
        return np.zeros(decoded.shape[1:], dtype=np.uint8)
    votes = decoded[[label.index for label in layout.labels]]
    values = np.array([label.value for label in layout.labels], dtype=np.uint8)
    winners = values[votes.argmax(axis=0)]
    return np.where(votes.max(axis=0) > layout.label_threshold, winners, 0).astype(np.uint8)
