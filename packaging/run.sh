#!/usr/bin/env bash
# The main job: the demo on simulated studies, or the same way on the studies given, then the workstation on the result.
# Usage: packaging/run.sh [STUDIES]      (make run STUDIES=/path)
set -euo pipefail
cd "$(dirname "$0")/.."
studies="${1:-}"
carez=.venv/bin/carez
out="${OUT:-output}"
name="$([ -n "$studies" ] && echo studies || echo demo)"
home="${CAREZ_HOME:-$PWD/.carez/$name}"

if [ -n "$studies" ]; then
  "$carez" --home "$home" demo --studies "$studies" --out "$out/$name"
else
  "$carez" --home "$home" demo --out "$out/$name"
fi

if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  exec "$carez" --home "$home" workstation "$out/$name/bundle.h5"
fi
echo "There is no display: the job was done without a window, and a picture of the workstation is taken instead." >&2
xvfb-run --auto-servernum --server-args="-screen 0 1920x1080x24" \
  "$carez" --home "$home" workstation "$out/$name/bundle.h5" --screenshot "$out/$name/workstation.png"
echo "Picture of the workstation: $PWD/$out/$name/workstation.png" >&2
