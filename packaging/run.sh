#!/usr/bin/env bash
# The main job: the demo on simulated studies, or the same way on the studies given, then the workstation on the result.
# Usage: packaging/run.sh [STUDIES]      (make run STUDIES=/path)
set -euo pipefail
cd "$(dirname "$0")/.."
studies="${1:-}"
carez=.venv/bin/carez
root="${CAREZ_HOME:-$PWD/.carez}"

if [ -n "$studies" ]; then
  home="$root/studies"; out="${OUT:-output}/studies"
  "$carez" --home "$home" demo --studies "$studies" --out "$out"
else
  home="$root/demo"; out="${OUT:-output}/demo"   # the demo works in a home of its own, below the one given
  "$carez" --home "$root" demo --out "$out"
fi

if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  exec "$carez" --home "$home" workstation "$out/bundle.h5"
fi
echo "There is no display: the job was done without a window; now a picture of the workstation is taken." >&2
xvfb-run --auto-servernum --server-args="-screen 0 1920x1080x24" \
  "$carez" --home "$home" workstation "$out/bundle.h5" --screenshot "$out/workstation.png"
echo "Picture of the workstation: $out/workstation.png" >&2
