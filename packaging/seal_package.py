"""Write the SHA-256 table of a generator package anew: `python packaging/seal_package.py FOLDER`.

Run it after every change to a file of the package; the manifest's own bytes then name them all.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

MANIFEST = "manifest.json"


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 (hex) of every file of a package but its manifest, by relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }


def seal(folder: Path) -> dict[str, str]:
    """Put the table into the package's manifest and return it."""
    manifest = folder / MANIFEST
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["files"] = file_digests(folder)
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    manifest.write_text(text, encoding="utf-8", newline="\n")
    return dict(content["files"])


def main() -> int:
    """Seal the packages named on the command line."""
    if len(sys.argv) < 2:
        print("usage: seal_package.py FOLDER...", file=sys.stderr)
        return 2
    for name in sys.argv[1:]:
        folder = Path(name)
        if not (folder / MANIFEST).is_file():
            print(f"{folder} has no {MANIFEST}", file=sys.stderr)
            return 2
        for path, digest in seal(folder).items():
            print(f"{digest}  {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
