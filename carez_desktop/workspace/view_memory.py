"""What the window remembers between starts: how things are shown, never what was shown.

It lies in `view.toml` of the home folder. Volumes, patients and paths do not belong there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import tomli_w
from pydantic import ValidationError

from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.system.file_safety import atomic_output
from carez_desktop.workspace._view_memory_file import ViewMemoryFile
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of

VIEW_MEMORY = "view.toml"
VIEW_MEMORY_VERSION = 1
LINKS = ("links_position", "links_view", "links_window")


@dataclass(frozen=True, slots=True)
class ViewMemory:
    """How the view was left.

    Attributes:
        layout: Id of the layout; "" where a hanging protocol decides.
        links: By the names that `Arrangement.set_link` knows.
        folded: Which sections of side panels are folded, by name.
        windows: Place and size of each window, by name, as the toolkit writes it (base64).
        presets: Title of the window preset that was chosen last, by modality.
        switches: What else is on or off (`crosshair`, `corner_texts`, ...).
        numbers: Further numbers (`cine_rate`, `second_screen`, ...).
        texts: Further choices (`colour_map`, `interpolation`, ...).
    """

    layout: str = ""
    links: Mapping[str, bool] = field(default_factory=dict)
    folded: Mapping[str, bool] = field(default_factory=dict)
    windows: Mapping[str, str] = field(default_factory=dict)
    presets: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, bool] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def with_window(self, name: str, geometry: str) -> ViewMemory:
        """Remember place and size of a window."""
        return replace(self, windows={**self.windows, name: geometry})

    def with_folded(self, name: str, folded: bool) -> ViewMemory:
        """Remember whether a section is folded."""
        return replace(self, folded={**self.folded, name: folded})

    def with_preset(self, modality: str, title: str) -> ViewMemory:
        """Remember the preset that was chosen for a modality."""
        return replace(self, presets={**self.presets, modality: title})

    def with_switch(self, name: str, on: bool) -> ViewMemory:
        """Remember whether something is on."""
        return replace(self, switches={**self.switches, name: on})

    def with_number(self, name: str, number: float) -> ViewMemory:
        """Remember a number."""
        return replace(self, numbers={**self.numbers, name: float(number)})

    def with_text(self, name: str, text: str) -> ViewMemory:
        """Remember a choice."""
        return replace(self, texts={**self.texts, name: text})


def load_view_memory(home: Path) -> tuple[ViewMemory, Finding | None]:
    """Read what is remembered.

    A file that is damaged or of a newer program must not keep the window from opening: then
    nothing is remembered and the finding says why. The damaged file stays until the next saving.

    Args:
        home: Folder of the site.
    """
    path = home / VIEW_MEMORY
    if not path.exists():
        return ViewMemory(), None
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        parsed = ViewMemoryFile.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        return ViewMemory(), _forgotten(path, f"{name}: {first['msg']}")
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return ViewMemory(), _forgotten(path, str(error))
    if parsed.version > VIEW_MEMORY_VERSION:
        return ViewMemory(), _forgotten(path, f"it is of version {parsed.version}, a newer program")
    facts = parsed.model_dump()
    del facts["version"]
    return ViewMemory(**facts), None


def _forgotten(path: Path, why: str) -> Finding:
    text = f"The last layout and window places are not restored, {path.name} cannot be used: {why}"
    return Finding(Severity.WARNING, "view_memory", path.name, text)


def save_view_memory(home: Path, memory: ViewMemory) -> None:
    """Write what is remembered, replacing the old file atomically.

    Raises:
        StorageError: The home folder cannot be written.
    """
    plain = {"version": VIEW_MEMORY_VERSION, **to_plain(memory)}
    with atomic_output(home / VIEW_MEMORY, "The view cannot be remembered") as part:
        part.write_text(tomli_w.dumps(plain), encoding="utf-8")


def remember(arrangement: Arrangement, memory: ViewMemory) -> ViewMemory:
    """Return the memory with layout and links as they are now."""
    links = {name: arrangement.is_linked(name) for name in LINKS}
    return replace(memory, layout=arrangement.layout.id, links=links)


def restore(arrangement: Arrangement, memory: ViewMemory) -> None:
    """Set layout and links as they were; names that are no longer known are passed over."""
    for name in LINKS:
        if name in memory.links:
            arrangement.set_link(name, memory.links[name])
    try:
        layout = layout_of(memory.layout)
    except KeyError:
        return
    arrangement.set_layout(layout)


def apply_remembered_preset(layer: Layer, memory: ViewMemory) -> bool:
    """Show a layer by the preset that was chosen last for its modality; tell whether it did.

    A window that the source itself names comes first: it was chosen for that very image.
    """
    title = memory.presets.get(layer.volume.modality, "")
    if not title or layer.volume.windows or layer.volume.window_center is not None:
        return False
    for preset in layer.presets:
        if preset.title == title:
            layer.show_preset(preset)
            return True
    return False
