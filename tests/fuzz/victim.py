"""The process that imports and loads spoiled files: `python -m tests.fuzz.victim HOME`.

It is told folders on standard input, one a line, and says on standard output, one JSON document a
line, which step it begins and how a folder ended. Whoever started it watches time and memory from
outside. A `CarezError` is a good answer; any other exception is a failure.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.errors import CarezError
from carez_desktop.workflows.context import WorkflowContext, open_context

_THUMBNAILS = 8


def say(**document: Any) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


class Witness:
    """Does steps, and notes what is no answer of ours."""

    def __init__(self) -> None:
        self.failures: list[dict[str, str]] = []
        self.loaded = 0
        self.refused = 0

    def step(self, name: str, subject: str, action: Callable[[], Any]) -> Any:
        """Do one step; None where it was refused in words."""
        say(step=name, subject=subject)
        try:
            return action()
        except CarezError as error:
            self.refused += 1
            if not error.what:
                self.failures.append({"step": name, "subject": subject, "what": "no words"})
            elif type(error).exit_code == 70 and type(error) is CarezError:
                self.failures.append({"step": name, "subject": subject, "what": str(error)})
        except Exception:  # noqa: BLE001 - that is what is being looked for
            text = traceback.format_exc(limit=-6)
            self.failures.append({"step": name, "subject": subject, "what": text})
        return None


def try_folder(context: WorkflowContext, folder: Path) -> dict[str, Any]:
    """Import a folder twice, load all that came of it, find and list it, draw thumbnails."""
    from carez_desktop.workflows.import_studies import import_studies
    from carez_desktop.workflows.list_volumes import list_volumes
    from carez_desktop.workflows.make_thumbnails import make_thumbnails

    witness = Witness()
    importing = partial(import_studies, context, paths=sorted(folder.iterdir()))
    report = witness.step("import", str(folder), importing)
    found = report.series if report else ()
    for record in found:
        _load(context, witness, record)
    mine = [record.volume_id for record in found]
    drawing = partial(make_thumbnails, context, volume_ids=mine[:_THUMBNAILS])
    witness.step("thumbnails", str(folder), drawing)
    again = witness.step("import again", str(folder), importing)
    if again and {record.volume_id for record in again.series} - set(mine):
        witness.failures.append(
            {"step": "import again", "subject": str(folder), "what": "it found other volumes"}
        )
    for word in {word for record in found[:3] for word in record.description.split()[:1]}:
        witness.step("search", word, partial(list_volumes, context, search=word))
    listed = witness.step("list", "", partial(list_volumes, context)) or ()
    for record in listed:
        if record.volume_id in mine:
            witness.step("document", record.volume_id, partial(_tell, record))
    return {
        "volumes": len(found),
        "unreadable": len(report.unreadable) if report else 0,
        "loaded": witness.loaded,
        "refused": witness.refused,
        "failures": witness.failures,
    }


def _tell(record: VolumeRecord) -> None:
    """What `carez series --json` prints: valid JSON in UTF-8."""
    from carez_desktop.cli.study_commands import volume_document
    from carez_desktop.domain.codec import to_plain

    document = to_plain(volume_document(record))
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def _load(context: WorkflowContext, witness: Witness, record: VolumeRecord) -> None:
    from carez_desktop.workflows.load_volume import load_volume

    subject = f"{record.volume_id} of {record.paths[:1]}"
    volume = witness.step("load", subject, lambda: load_volume(context, volume_id=record.volume_id))
    witness.loaded += volume is not None
    if record.slices_only:
        witness.step(
            "resample",
            subject,
            lambda: load_volume(context, volume_id=record.volume_id, resample=True),
        )
        witness.step("slices", subject, lambda: _slices(context, record))


def _slices(context: WorkflowContext, record: VolumeRecord) -> None:
    from carez_desktop.workflows.load_slices import load_slices

    load_slices(context, volume_id=record.volume_id)


def main() -> None:
    context = open_context(Path(sys.argv[1]))
    say(ready=True)
    for line in sys.stdin:
        say(done=try_folder(context, Path(line.rstrip("\n"))))
    context.close()
    context.library.close()


if __name__ == "__main__":
    main()
