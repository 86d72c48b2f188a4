#!/usr/bin/env bash
# Print the newest Python >= 3.11 that can make a virtual environment, or say what to install.
# PYTHON=… overrides the choice. Releases that the suite has run on come before newer ones.
set -euo pipefail

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

bare=""
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python python3.14 python3.15}; do
  path=$(command -v "$candidate" 2>/dev/null) || continue
  suits "$path" || continue
  if makes_venvs "$path"; then
    echo "$path"
    exit 0
  fi
  bare=${bare:-$path}
done

if [ -n "$bare" ]; then
  release=$("$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  {
    echo "$bare is Python $release, but it cannot make virtual environments (venv or ensurepip is missing)."
    echo "Debian, Ubuntu:  apt install python$release-venv"
    echo "Then run make again, or name another Python: make PYTHON=/path/to/python3 …"
  } >&2
elif [ -n "${PYTHON:-}" ]; then
  echo "PYTHON=$PYTHON is not a Python >= 3.11. Leave it out to let make choose, or name another." >&2
else
  {
    echo "No Python >= 3.11 was found on PATH."
    echo "Debian 12, Ubuntu 24.04 and newer:  apt install python3 python3-venv      Fedora:  dnf install python3.13"
    echo "Elsewhere, name one:  make PYTHON=/path/to/python3.13 …"
  } >&2
fi
exit 1
