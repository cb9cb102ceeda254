"""The panel of the Library page: what the chosen rows are, and what can be done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from carez_desktop.domain.study import AttributeValue, VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.gui.page_parts import ElidedLabel, button, clear_layout, words
from carez_desktop.gui.record_words import (
    gone_text,
    kind_text,
    object_text,
    opens,
    series_text,
    size_of,
    spacing_of,
)
from carez_desktop.gui.theme import Theme

_MOST_OBJECTS = 12


class LibraryDetails(QWidget):
    """Facts, findings, tags and actions of the chosen volumes.

    Signals:
        opened(str, str): Open a volume, beside a second one or "".
        generate_requested(str): Take a volume as the source of a generation.
        tag_added(str): Put a word on the chosen volumes.
        tag_removed(str): Take it off them.
        remove_requested: Take the chosen volumes out of the library.
    """

    opened = Signal(str, str)
    generate_requested = Signal(str)
    tag_added = Signal(str)
    tag_removed = Signal(str)
    remove_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        """Start empty."""
        super().__init__()
        self._theme = theme
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(theme.size("space_2"))
        self.tag_field: QLineEdit | None = None

    def show_volumes(
        self, chosen: Sequence[VolumeRecord], pictures: Mapping[str, bytes], *, stand_in: bool
    ) -> None:
        """Describe the chosen volumes.

        Args:
            chosen: In the order of the list.
            pictures: PNG bytes by volume id.
            stand_in: What counts as real here is simulated.
        """
        self.tag_field = None
        clear_layout(self._layout)
        if not chosen:
            return
        self._add_actions(chosen)
        if len(chosen) == 1:
            self._add_facts(chosen[0], pictures.get(chosen[0].volume_id), stand_in=stand_in)
        else:
            self._layout.addWidget(words(f"{len(chosen)} volumes", "section"))
        self._add_tags(chosen)
        if len(chosen) == 1:
            self._add_findings(chosen[0])
        what = "it" if len(chosen) == 1 else f"these {len(chosen)}"
        self._layout.addWidget(
            button(f"Remove {what} from the library…", self.remove_requested.emit, tip="Delete")
        )

    def _add_actions(self, chosen: Sequence[VolumeRecord]) -> None:
        first = chosen[0].volume_id
        if len(chosen) == 2:
            compare = button(
                "Compare the two", partial(self.opened.emit, first, chosen[1].volume_id)
            )
            compare.setObjectName("primary")
            compare.setEnabled(all(opens(record) for record in chosen))
            self._layout.addWidget(compare)
        if len(chosen) != 1:
            return
        door = button("Open in View", partial(self.opened.emit, first, ""), tip="Enter")
        door.setObjectName("primary")
        door.setEnabled(opens(chosen[0]) and not gone_text(chosen[0]))
        self._layout.addWidget(door)
        if chosen[0].kind is VolumeKind.REAL and not chosen[0].refusal:
            self._layout.addWidget(
                button("Generate from it", partial(self.generate_requested.emit, first))
            )

    def _add_facts(self, record: VolumeRecord, png: bytes | None, *, stand_in: bool) -> None:
        pixmap = QPixmap()
        if png and pixmap.loadFromData(png):
            picture = QLabel()
            picture.setPixmap(pixmap)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._layout.addWidget(picture)
        self._layout.addWidget(ElidedLabel(series_text(record), "section"))
        table = QGridLayout()
        table.setColumnStretch(1, 1)
        for row, (title, value) in enumerate(details(record, stand_in=stand_in)):
            table.addWidget(words(title, "label"), row, 0)
            table.addWidget(ElidedLabel(value), row, 1)
        self._layout.addLayout(table)

    def _add_tags(self, chosen: Sequence[VolumeRecord]) -> None:
        self._layout.addWidget(words("Tags", "section"))
        for tag in sorted({tag for record in chosen for tag in record.tags}):
            line = QHBoxLayout()
            line.addWidget(ElidedLabel(tag), 1)
            off = button("Remove", partial(self.tag_removed.emit, tag), role="flat")
            off.setAccessibleName(f"Remove the tag {tag}")
            line.addWidget(off)
            self._layout.addLayout(line)
        field = QLineEdit()
        field.setPlaceholderText("Add a tag, then Return")
        field.setAccessibleName("Add a tag")
        field.returnPressed.connect(self._add_typed)
        self.tag_field = field
        self._layout.addWidget(field)

    def _add_typed(self) -> None:
        tag = "" if self.tag_field is None else self.tag_field.text().strip()
        if tag:
            self.tag_added.emit(tag)

    def _add_findings(self, record: VolumeRecord) -> None:
        if record.labels:
            self._layout.addWidget(words("Labels", "section"))
            for name, value in record.labels.items():
                self._layout.addWidget(ElidedLabel(f"{name}: {value}"))
        if record.refusal:
            what = "shown slice by slice" if record.slices_only else "not loaded as a volume"
            text = f"It is {what}: {record.refusal}"
            self._layout.addWidget(words(text, "caution", wrap=True))
        for finding in record.findings:
            if finding.text == record.refusal:
                continue
            role = "label" if finding.severity == "info" else "caution"
            text = f"{finding.severity.value}: {finding.text}"
            self._layout.addWidget(words(text, role, wrap=True))
        if record.objects:
            self._layout.addWidget(words("Refer to it", "section"))
        for item in record.objects[:_MOST_OBJECTS]:
            self._layout.addWidget(ElidedLabel(object_text(item)))
        if len(record.objects) > _MOST_OBJECTS:
            more = len(record.objects) - _MOST_OBJECTS
            self._layout.addWidget(words(f"and {more} more", "label"))


def details(record: VolumeRecord, *, stand_in: bool) -> tuple[tuple[str, str], ...]:
    """Return what the panel says of a volume: title and value."""
    known = record.attributes
    kind = ", ".join(
        part for part in (record.modality, kind_text(record, stand_in=stand_in)) if part
    )
    rows = (
        ("Modality, kind", kind),
        ("Voxels", size_of(record)),
        ("Spacing, mm", spacing_of(record)),
        ("Orientation", record.orientation),
        ("Manufacturer", str(known.get("manufacturer") or "")),
        ("Kernel", str(known.get("convolution_kernel") or "")),
        ("Peak voltage", _with_unit(known.get("kvp"), "kV")),
        ("Split", record.split_reason),
        ("Set", f"{record.set_index + 1} of its set" if record.set_id else ""),
        ("Source", record.source_format),
        ("Identifier", record.volume_id),
    )
    return tuple((title, value) for title, value in rows if value)


def _with_unit(value: AttributeValue, unit: str) -> str:
    return f"{value:g} {unit}" if isinstance(value, float) else ""
