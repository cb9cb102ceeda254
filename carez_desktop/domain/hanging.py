"""Hanging protocols: which volumes belong on the View page, and in which panes.

A protocol names roles ("ct", "pet"), each with conditions on a volume, and panes that show them.
It fits where every role that it needs finds a volume of its own and the volume that the person
opened plays one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from carez_desktop.domain.study import AttributeValue, VolumeRecord
from carez_desktop.domain.volume import SliceAxis, Volume, VolumeKind

_PLANE_OF_LETTER = {
    **dict.fromkeys("SI", "axial"),
    **dict.fromkeys("LR", "sagittal"),
    **dict.fromkeys("AP", "coronal"),
}


class StudyRelation(StrEnum):
    """How the study of a role lies to that of the first role."""

    ANY = "any"
    SAME = "same"
    OTHER = "other"
    PRIOR = "prior"


@dataclass(frozen=True, slots=True)
class HangingVolume:
    """What a hanging protocol may ask of a volume.

    Attributes:
        plane: In which it was acquired: `axial`, `sagittal`, `coronal`, or "" where unknown.
        has_planes: Whether other planes can be cut through it.
        body_part: As the source names it (PS3.3 C.7.3.1), upper case.
        words: Descriptions of series and study, lower case.
        date: Of the study, `YYYYMMDD`; "" where unknown.
    """

    volume_id: str
    modality: str
    kind: VolumeKind = VolumeKind.REAL
    plane: str = ""
    has_planes: bool = True
    body_part: str = ""
    words: str = ""
    patient_id: str = ""
    study_uid: str = ""
    date: str = ""

    @classmethod
    def of_record(cls, record: VolumeRecord) -> HangingVolume:
        """Take the facts of a volume of the library."""
        has_planes = (
            not record.refusal
            and bool(record.orientation)
            and record.shape[0] > 1
            and record.slice_axis is SliceAxis.SPACE
        )
        facts = record.attributes
        words = (record.description, _text(facts, "study_description"), record.split_reason)
        return cls(
            record.volume_id,
            record.modality,
            record.kind,
            _PLANE_OF_LETTER.get(record.orientation[:1], ""),
            has_planes,
            _text(facts, "body_part_examined").upper(),
            " ".join(words).lower(),
            record.patient_id,
            record.study_instance_uid,
            _text(facts, "study_date"),
        )

    @classmethod
    def of_volume(cls, volume: Volume) -> HangingVolume:
        """Take the facts of a volume that no library knows (a case of a bundle)."""
        facts = volume.attributes
        in_space = volume.slice_axis is SliceAxis.SPACE and volume.geometry.shape[0] > 1
        words = (_text(facts, "series_description"), _text(facts, "study_description"))
        return cls(
            volume.volume_id,
            volume.modality,
            volume.kind,
            _PLANE_OF_LETTER.get(volume.geometry.orientation[:1], ""),
            in_space,
            _text(facts, "body_part_examined").upper(),
            " ".join(words).lower(),
            _text(facts, "patient_id"),
            _text(facts, "study_instance_uid"),
            _text(facts, "study_date"),
        )


def _text(facts: Mapping[str, AttributeValue] | Mapping[str, str], name: str) -> str:
    value = facts.get(name)
    return "" if value is None else str(value).strip()


@dataclass(frozen=True, slots=True)
class HangingRole:
    """A volume that a protocol looks for; an empty condition asks nothing.

    Attributes:
        name: By which panes name it.
        modalities: DICOM Modality, one of them.
        kinds: real, synthetic, derived; one of them.
        body_parts: One of them lies in the body part, or as a word in the descriptions.
        words: One of them lies in the descriptions.
        without_words: None of them lies in the descriptions.
        plane: In which it was acquired.
        has_planes: Whether other planes can be cut through it; None asks nothing.
        study: Of which study, compared with the first role.
        is_optional: Whether the protocol fits without it.
        window: Title of the window preset that it opens with; "" keeps the source's.
    """

    name: str
    modalities: tuple[str, ...] = ()
    kinds: tuple[VolumeKind, ...] = ()
    body_parts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    without_words: tuple[str, ...] = ()
    plane: str = ""
    has_planes: bool | None = None
    study: StudyRelation = StudyRelation.ANY
    is_optional: bool = False
    window: str = ""

    def accepts(self, volume: HangingVolume) -> bool:
        """Whether a volume can play this role, its study aside."""
        return (
            (not self.modalities or volume.modality in self.modalities)
            and (not self.kinds or volume.kind in self.kinds)
            and (not self.body_parts or _is_of_part(volume, self.body_parts))
            and (not self.words or any(word in volume.words for word in self.words))
            and not any(word in volume.words for word in self.without_words)
            and self.plane in ("", volume.plane)
            and self.has_planes in (None, volume.has_planes)
        )

    @property
    def conditions(self) -> int:
        """How much it asks: of two that fit, the one that asks more fits better."""
        asked = (
            *(self.modalities, self.kinds, self.body_parts, self.words, self.without_words),
            *(self.plane, self.has_planes is not None, self.study is not StudyRelation.ANY),
        )
        return sum(1 for condition in asked if condition)


def _is_of_part(volume: HangingVolume, parts: Sequence[str]) -> bool:
    found = set(volume.words.replace("_", " ").replace("/", " ").upper().split())
    return any(part in volume.body_part or part in found for part in parts)


@dataclass(frozen=True, slots=True)
class HangingPane:
    """What one pane of the layout shows.

    Attributes:
        role: Whose volume; "" leaves the pane empty.
        plane: `acquired`, `axial`, `sagittal` or `coronal`.
        second: Role that is compared with it; "" for none.
        mode: How: a `CompareMode`.
        overlay: Role that is laid over it; "" for none.
        opacity: Of the overlay, 0 to 1.
        outlined: Whether a label map is drawn by its edges.
        slab: `mip`, `minip` or `mean`.
        slab_mm: Thickness; 0 is a plane without.
    """

    role: str
    plane: str = "acquired"
    second: str = ""
    mode: str = "none"
    overlay: str = ""
    opacity: float = 0.5
    outlined: bool = False
    slab: str = "mip"
    slab_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class HangingProtocol:
    """One way to hang volumes.

    Attributes:
        id: Stable name; a site's protocol of the same id replaces the product's.
        title: Words for the menu.
        layout: Id of a layout (`1x2`, `1+2`, `3|3`, ...).
        priority: Of two that fit, the higher one is taken.
        roles: Volumes that it looks for, in this order.
        panes: In the order of the layout's cells.
        most_volumes: It fits only while not more are on offer; 0 asks nothing.
        source: File that it was read from; "" for one made in memory.
    """

    id: str
    title: str
    layout: str
    roles: tuple[HangingRole, ...]
    panes: tuple[HangingPane, ...]
    priority: int = 0
    most_volumes: int = 0
    source: str = ""

    @property
    def rank(self) -> tuple[int, int, int]:
        """By which protocols that fit are ordered, the highest first."""
        needed = [role for role in self.roles if not role.is_optional]
        return (self.priority, len(needed), sum(role.conditions for role in self.roles))


@dataclass(frozen=True, slots=True)
class Hanging:
    """A protocol with the volumes that play its roles.

    Attributes:
        volume_ids: By role, in the order in which they should be read.
    """

    protocol: HangingProtocol
    volume_ids: Mapping[str, str] = field(default_factory=dict)

    def role_of(self, volume_id: str) -> HangingRole | None:
        """Return the role that a volume plays."""
        names = [name for name, found in self.volume_ids.items() if found == volume_id]
        return next((role for role in self.protocol.roles if role.name in names), None)


def hangings_for(
    protocols: Sequence[HangingProtocol], volumes: Sequence[HangingVolume]
) -> tuple[Hanging, ...]:
    """Return every protocol that fits, the best first.

    Args:
        protocols: To choose from.
        volumes: On offer; the first is the one that the person opened and plays a role in each.
    """
    if not volumes:
        return ()
    found = []
    for protocol in protocols:
        if 0 < protocol.most_volumes < len(volumes):
            continue
        cast = _cast(protocol.roles, volumes)
        if cast:
            names = {role.name: cast[role].volume_id for role in protocol.roles if role in cast}
            found.append(Hanging(protocol, names))
    best = sorted(found, key=lambda item: item.protocol.id)
    return tuple(sorted(best, key=lambda item: item.protocol.rank, reverse=True))


_Cast = dict[HangingRole, HangingVolume]


def _cast(roles: Sequence[HangingRole], volumes: Sequence[HangingVolume]) -> _Cast:
    """Give each role a volume of its own, and the opened volume a role.

    Returns:
        By role; empty where a role that is needed, or the opened volume, is left over.
    """
    opened = volumes[0]
    for lead in (volume for volume in volumes if roles[0].accepts(volume)):
        fitting = {
            role: [x for x in volumes if role.accepts(x) and _is_related(role.study, x, lead)]
            for role in roles[1:]
        }
        fitting[roles[0]] = [lead]
        for role in (role for role in roles if opened in fitting[role]):
            cast = _matched(roles, {**fitting, role: [opened]})
            if cast:
                return cast
    return {}


def _matched(
    roles: Sequence[HangingRole], fitting: Mapping[HangingRole, Sequence[HangingVolume]]
) -> _Cast:
    """Match roles and volumes; the first volumes are preferred (H. W. Kuhn, 1955).

    A role for which only one volume fits goes first, then those that are needed.
    """
    players: dict[str, HangingRole] = {}
    by_id: dict[str, HangingVolume] = {}

    def place(role: HangingRole, seen: set[str]) -> bool:
        for volume in fitting[role]:
            name = volume.volume_id
            if name in seen:
                continue
            seen.add(name)
            if name not in players or place(players[name], seen):
                players[name], by_id[name] = role, volume
                return True
        return False

    for role in sorted(roles, key=lambda item: (len(fitting[item]) != 1, item.is_optional)):
        if not place(role, set()) and not role.is_optional:
            return {}
    return {role: by_id[name] for name, role in players.items()}


def _is_related(relation: StudyRelation, volume: HangingVolume, lead: HangingVolume) -> bool:
    if relation is StudyRelation.ANY:
        return True
    if relation is StudyRelation.SAME:
        return bool(volume.study_uid) and volume.study_uid == lead.study_uid
    apart = volume.study_uid != lead.study_uid
    if relation is StudyRelation.OTHER:
        return apart
    one_patient = bool(volume.patient_id) and volume.patient_id == lead.patient_id
    return apart and one_patient and bool(volume.date) and volume.date < lead.date
