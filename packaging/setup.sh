#!/usr/bin/env bash
# Set up everything that `make run` and `make test` need: system libraries, virtual environment,
# locked dependencies. Safe to run again: what is in place is left alone.
# Usage: packaging/setup.sh run|test [auto|cpu|cuda]
set -euo pipefail
cd "$(dirname "$0")/.."

purpose="${1:-run}"
device="${2:-auto}"
venv=".venv"

say() { printf '%s\n' "$*" >&2; }
stop() { say "$1"; say "What to do: $2"; exit 1; }

# --- system libraries: a file that must be loadable, and the Debian package that brings it ----------
libraries=(
  libGL.so.1:libgl1 libEGL.so.1:libegl1 libOpenGL.so.0:libopengl0
  libxkbcommon.so.0:libxkbcommon0 libxkbcommon-x11.so.0:libxkbcommon-x11-0
  libxcb-cursor.so.0:libxcb-cursor0 libxcb-icccm.so.4:libxcb-icccm4 libxcb-keysyms.so.1:libxcb-keysyms1
  libxcb-image.so.0:libxcb-image0 libxcb-randr.so.0:libxcb-randr0 libxcb-shape.so.0:libxcb-shape0
  libxcb-render-util.so.0:libxcb-render-util0 libxcb-xkb.so.1:libxcb-xkb1 libxcb-xinerama.so.0:libxcb-xinerama0
  libX11-xcb.so.1:libx11-xcb1 libdbus-1.so.3:libdbus-1-3 libfontconfig.so.1:libfontconfig1
  libglib-2.0.so.0:libglib2.0-0 libwayland-cursor.so.0:libwayland-cursor0 libXrender.so.1:libxrender1
)
missing=()
cache="$( (ldconfig -p 2>/dev/null || /sbin/ldconfig -p) )"
for entry in "${libraries[@]}"; do
  grep -qF "${entry%%:*} " <<<"$cache" || missing+=("${entry##*:}")
done
any_of() { compgen -G "$1" >/dev/null || { [ $# -gt 1 ] && any_of "${@:2}"; }; }
any_of '/usr/lib/*/dri/swrast_dri.so' '/usr/lib64/dri/swrast_dri.so' '/usr/lib/*/libgallium*.so' || missing+=(libgl1-mesa-dri)
any_of '/usr/lib/*/libEGL_mesa.so.0' '/usr/lib64/libEGL_mesa.so.0' || missing+=(libegl-mesa0)
command -v Xvfb >/dev/null || missing+=(xvfb)
command -v xauth >/dev/null || missing+=(xauth)
if [ "$purpose" = test ]; then  # what the tests compare with and drive the window with
  command -v dcm2niix >/dev/null || missing+=(dcm2niix)
  command -v xdotool >/dev/null || missing+=(xdotool)  # real mouse and key events
fi
ls /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf >/dev/null 2>&1 || missing+=(fonts-dejavu-core)
if ((${#missing[@]})); then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say "Installing system packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2 || say "The package lists could not be refreshed; trying with the ones at hand."
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
      || stop "System packages could not be installed: ${missing[*]}" "install them by hand, then run this again"
  else
    stop "System packages are missing: ${missing[*]}" "ask an administrator for: apt-get install ${missing[*]}"
  fi
fi

# --- Python ---------------------------------------------------------------------------------------
python="${PYTHON:-python3}"
command -v "$python" >/dev/null || stop "python3 was not found" "apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || stop "Python 3.11 or newer is needed, this is $("$python" --version 2>&1)" "install one and run: make run PYTHON=/path/to/python3.11"

case "$device" in
  auto) if command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; then device=cuda; picked="a GPU driver was found"; else device=cpu; picked="no GPU driver was found"; fi ;;
  cpu|cuda) picked="as asked" ;;
  *) stop "DEVICE=$device is not known" "say DEVICE=auto, DEVICE=cpu or DEVICE=cuda" ;;
esac
if [ "$device" = cuda ]; then
  lock=packaging/constraints-cuda13.txt; extras="cuda"; size="about 5 GB"
else
  lock=packaging/constraints-cpu.txt; extras=""; size="about 1 GB"
fi
[ "$purpose" = test ] && extras="${extras:+$extras,}dev"

stamp="$venv/.carez-$purpose"
want="$(cat "$lock" pyproject.toml packaging/setup.sh | sha256sum | cut -d' ' -f1)-$device-$(pwd)"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then exit 0; fi

say "Device: $device ($picked). Setting up $venv with the versions of $lock; the first time downloads $size."
if [ ! -x "$venv/bin/python" ]; then
  "$python" -m venv "$venv" || stop "The virtual environment could not be made" "apt-get install python3-venv"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$lock" --editable ".${extras:+[$extras]}" 2> >(grep -v "is ignored: it is neither" >&2) \
  || stop "The Python packages could not be installed" "check the connection to your package index (PIP_INDEX_URL) and the free disk space, then run this again"
printf '%s' "$want" > "$stamp"
