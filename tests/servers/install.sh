#!/usr/bin/env bash
# Install the real servers of the end-to-end tests into .servers/: what `make servers` runs.
# Needs Python >= 3.11 for the paste and chat servers; npm, a C++ compiler, make and Python for the AT Protocol server.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=$(mkdir -p "${SERVERS:-$root/.servers}" && cd "${SERVERS:-$root/.servers}" && pwd)

python=$(PYTHON="${PYTHON:-}" bash "$root/requirements/find-python.sh")
echo "Installing bepasty, pinnwand and Synapse (hash-checked) …"
"$python" -m venv --clear "$target/venv"
pip=("$target/venv/bin/python" -m pip --disable-pip-version-check --no-input install --quiet --progress-bar off)
"${pip[@]}" --require-hashes --no-build-isolation -r "$root/requirements/build.lock"
"${pip[@]}" --require-hashes --no-build-isolation -r "$root/requirements/servers-build.lock"
"${pip[@]}" --require-hashes --no-build-isolation -r "$root/requirements/servers.lock"

if ! command -v npm >/dev/null || ! command -v g++ >/dev/null; then
  echo "npm or g++ is missing: the AT Protocol server was left out (Debian: apt install npm g++ make)." >&2
  echo "Its tests will say so. Run make servers again afterwards." >&2
  exit 1
fi

echo "Installing the AT Protocol server (integrity-checked, about two minutes) …"
rm -rf "$target/pds"
mkdir -p "$target/pds"
cp "$here/pds/package.json" "$here/pds/package-lock.json" "$here/pds/start.mjs" "$here/pds/loopback.cjs" "$target/pds/"
cd "$target/pds"
# No script of any package runs: the one native part is built here, against the Node it will run in.
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null
node_home=$(dirname "$(dirname "$(find "$PWD"/node_modules/node-linux-*/bin -name node | head -n 1)")")
chmod +x "$node_home/bin/node"
echo "Building its database driver …"
PATH="$node_home/bin:$PATH" npm rebuild better-sqlite3 \
  --build-from-source --nodedir="$node_home" --foreground-scripts --loglevel=error </dev/null >"$target/build.log" 2>&1 \
  || { tail -n 30 "$target/build.log" >&2; exit 1; }
test -e node_modules/better-sqlite3/build/Release/better_sqlite3.node
ln -sfn "$node_home/bin/node" "$target/node"

touch "$target/ready"
echo "The servers are ready in $target."
