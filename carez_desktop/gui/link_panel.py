"""Links between panes, and how two volumes lie to each other: frame, registration, or by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.page_parts import words
from carez_desktop.gui.panel_parts import (
    NumberField,
    PanelSection,
    panel_button,
    panel_check,
    set_quietly,
)
from carez_desktop.gui.patient_series import VolumeChoice
from carez_desktop.gui.registration_panel import RegistrationPanel
from carez_desktop.gui.session import Session
from carez_desktop.gui.theme import Theme
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.manual_alignment import (
    alignment_shift,
    by_centres,
    current_matrix,
    shifted_to,
)
from carez_desktop.workspace.pane import Pane

_LINKS = (
    ("links_position", "Position, in millimetres (L)"),
    ("links_view", "Zoom, movement, mirror (Shift+L)"),
    ("links_window", "Window (Ctrl+L)"),
)
_METHODS = {
    AlignmentMethod.FRAME_OF_REFERENCE: "They share a frame of reference",
    AlignmentMethod.SAME_SOURCE: "One was made from the other",
    AlignmentMethod.REGISTRATION: "Registered",
    AlignmentMethod.OFFSET: "Laid together by hand; this is not a registration",
}
_KEPT = (AlignmentMethod.REGISTRATION, AlignmentMethod.OFFSET)
_AXES = ("Left", "Back", "Up")
_KEEP_AFTER_MS = 800
_COARSE_MM, _STEP_MM, _FINE_MM = 5.0, 1.0, 0.1


class NudgePad(QFrame):
    """A field that turns arrow keys into steps across the plane, page keys into steps through it.

    Signals:
        nudged(float, float, float): Steps in mm to the viewer's right, down, and into the plane.
    """

    nudged = Signal(float, float, float)

    def __init__(self, theme: Theme) -> None:
        """Say what the keys do."""
        super().__init__()
        self.setObjectName("nudge_pad")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Move the other volume with the arrow keys")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(theme.size("space_2"),) * 4)
        layout.addWidget(
            words(
                "Click here, then move the other volume: arrow keys 1 mm, with Shift 5 mm, "
                "with Ctrl 0.1 mm; page keys through the plane.",
                "label",
                wrap=True,
            )
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move by the arrow and page keys; others go on to the page."""
        ways = {
            Qt.Key.Key_Left: (-1.0, 0.0, 0.0),
            Qt.Key.Key_Right: (1.0, 0.0, 0.0),
            Qt.Key.Key_Up: (0.0, -1.0, 0.0),
            Qt.Key.Key_Down: (0.0, 1.0, 0.0),
            Qt.Key.Key_PageUp: (0.0, 0.0, -1.0),
            Qt.Key.Key_PageDown: (0.0, 0.0, 1.0),
        }
        way = ways.get(Qt.Key(event.key()))
        if way is None:
            event.ignore()
            return
        step = _STEP_MM
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            step = _COARSE_MM
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            step = _FINE_MM
        self.nudged.emit(*(part * step for part in way))


class LinkPanel(PanelSection):
    """What moves together, and how the other volume lies to the one of the pane."""

    def __init__(self, session: Session) -> None:
        """Lay out the controls."""
        super().__init__(session.theme, "links", "Links and registration")
        self._session = session
        self._chosen: Layer | None = None
        self.links = {
            name: panel_check(title, partial(self._set_link, name)) for name, title in _LINKS
        }
        self.other = VolumeChoice("Another open volume…", "Volume that is brought into place")
        self.other.picked.connect(self._choose)
        self.how = words("", "label", wrap=True)
        self.registration = RegistrationPanel(session)
        self.registration.accepted.connect(self._accept)
        self.registration.undone.connect(self._undo)
        self.centres = panel_button(
            "Lay the centres together",
            self.lay_centres,
            "A shift for looking only; it is not a registration",
        )
        row = QHBoxLayout()
        row.setSpacing(session.theme.size("space_1"))
        self.shift = tuple(
            NumberField(session.theme, name, tip="Millimetres that the other volume is moved")
            for name in _AXES
        )
        for field in self.shift:
            field.entered.connect(self._typed)
            row.addWidget(field, 1, Qt.AlignmentFlag.AlignTop)
        self.pad = NudgePad(session.theme)
        self.pad.nudged.connect(self._nudge)
        self._keep = QTimer(self)
        self._keep.setSingleShot(True)
        self._keep.setInterval(_KEEP_AFTER_MS)
        self._keep.timeout.connect(self._keep_now)
        self._unkept: Alignment | None = None
        for widget in (*self.links.values(), self.other, self.how, self.registration):
            self.body.addWidget(widget)
        self.body.addWidget(self.centres)
        self.body.addLayout(row)
        self.body.addWidget(self.pad)
        self._of_pair = (self.how, self.registration, self.centres, *self.shift, self.pad)

    # -- what it shows -------------------------------------------------------------------------

    @property
    def pair(self) -> tuple[Layer, Layer] | None:
        """The layer of the pane and the other one, where there are two grids to lay together."""
        if self.pane is None or self.pane.base is None or self.arrangement is None:
            return None
        base = self.pane.base.layer
        others = [layer for layer in self.arrangement.layers if layer is not base]
        if self._chosen in others:
            return (base, self._chosen)
        if self.pane.second is not None:
            return (base, self.pane.second.layer)
        return (base, others[0]) if len(others) == 1 else None

    def follow(self, pane: Pane | None) -> None:
        """Act on the volume of another pane."""
        self._chosen = None
        super().follow(pane)

    def refresh(self) -> None:
        """Show the links, and how the two volumes lie to each other."""
        arrangement = self.arrangement
        self.setEnabled(arrangement is not None)
        if arrangement is None:
            self._chosen = None
            self.other.offer((), (), None)
            self.registration.show_pair(None)
            return
        for name, box in self.links.items():
            set_quietly(box, arrangement.is_linked(name))
        base = self.pane.base.layer if self.pane is not None and self.pane.base else None
        others = [layer for layer in arrangement.layers if layer is not base]
        self.other.setVisible(bool(others) and base is not None)
        if self._chosen not in others:
            self._chosen = None
        pair = self.pair
        self.other.offer(others, (), pair[1] if pair else None)
        for widget in self._of_pair:
            widget.setVisible(pair is not None)
        self.registration.show_pair(pair)
        if pair is None:
            return
        refusal = arrangement.link_refusal(*pair)
        known = arrangement.alignment_between(*pair)
        if refusal:
            self.how.setText(f"Positions are not linked. {refusal}.")
        else:
            method = known.method if known else AlignmentMethod.FRAME_OF_REFERENCE
            self.how.setText(f"{_METHODS[method]}.")
        self.how.setObjectName("caution" if refusal else "label")
        self.how.style().unpolish(self.how)
        self.how.style().polish(self.how)
        for field, value in zip(
            self.shift, alignment_shift(current_matrix(arrangement, *pair)), strict=True
        ):
            field.set_value(float(value) + 0.0, 1)

    # -- what a person does --------------------------------------------------------------------

    def toggle_link(self, name: str) -> None:
        """Switch one kind of link."""
        if self.arrangement is not None:
            self._set_link(name, not self.arrangement.is_linked(name))
            self.renew()

    def lay_centres(self) -> None:
        """Lay the centres of the two volumes together."""
        pair = self.pair
        if pair is not None:
            self._lay(by_centres(*pair))

    def keep_now(self) -> None:
        """Keep what was moved by hand at once, as when the page is left."""
        if self._keep.isActive():
            self._keep.stop()
            self._keep_now()

    def _set_link(self, name: str, linked: bool) -> None:
        if self.arrangement is not None:
            self.arrangement.set_link(name, linked)

    def _choose(self, item: object) -> None:
        self._chosen = item if isinstance(item, Layer) else None
        self.refresh()

    def _typed(self, _: float) -> None:
        values = [field.value for field in self.shift]
        if None not in values:
            self._shift_to(np.array(values, dtype=np.float64))

    def _nudge(self, right: float, down: float, forward: float) -> None:
        pane, pair = self.pane, self.pair
        if pair is None or pane is None or pane.base is None or pane.viewport is None:
            return
        view = pane.viewport
        step = view.right * right + view.down * down + view.basis.forward * forward
        # The alignment leads from the base layer's own millimetres.
        step = pane.base.to_layer[:3, :3] @ step
        if self.arrangement is not None:
            now = alignment_shift(current_matrix(self.arrangement, *pair))
            self._shift_to(now + step)

    def _shift_to(self, shift_mm: npt.NDArray[np.float64]) -> None:
        pair = self.pair
        if pair is not None and self.arrangement is not None:
            matrix = shifted_to(current_matrix(self.arrangement, *pair), shift_mm)
            ids = (pair[0].volume.volume_id, pair[1].volume.volume_id)
            self._lay(Alignment(*ids, matrix, AlignmentMethod.OFFSET))

    def _lay(self, alignment: Alignment) -> None:
        """Use an alignment, and keep it once the person stops moving."""
        if self.arrangement is None:
            return
        self.arrangement.align(alignment)
        self._unkept = alignment
        self._keep.start()
        self.refresh()

    def _accept(self, alignment: Alignment) -> None:
        pair = self.pair
        if pair is not None and self.arrangement is not None:
            self.registration.remember(self.arrangement.alignment_between(*pair))
            self._lay(alignment)

    def _undo(self, before: Alignment | None, pair: tuple[Layer, Layer]) -> None:
        if self.arrangement is None:
            return
        if before is not None and before.method in _KEPT:
            self._lay(before)
            return
        ids = (pair[0].volume.volume_id, pair[1].volume.volume_id)
        self._keep.stop()
        self._unkept = None
        if before is not None:
            self.arrangement.align(before)
        else:
            self.arrangement.separate(*ids)
        context = self._session.context

        def work(_: JobCall) -> None:
            from carez_desktop.workflows.keep_alignment import forget_alignment

            forget_alignment(context, fixed_id=ids[0], moving_id=ids[1])

        self._session.bridge.submit(
            "Forget a registration", work, key="view.alignment", visible=False,
            on_error=self.registration.show_error,
        )  # fmt: skip
        self.refresh()

    def _keep_now(self) -> None:
        alignment, self._unkept = self._unkept, None
        if alignment is None:
            return
        context = self._session.context

        def work(_: JobCall) -> None:
            from carez_desktop.workflows.keep_alignment import keep_alignment

            keep_alignment(context, alignment=alignment)

        self._session.bridge.submit(
            "Keep how two volumes lie", work, key="view.alignment", visible=False,
            on_error=self.registration.show_error,
        )  # fmt: skip
