#!/usr/bin/env bash
# Checks that a wheel and a source distribution have the models and the documentation, installs the wheel in an empty environment outside the
# source tree and uses what it ships: the command, the rules, the models. Usage: tools/check-wheel.sh WHEEL SDIST
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
wheel=$(realpath "$1")
sdist=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"${PYTHON:-python3}" - "$root" "$wheel" "$sdist" <<'PY'
import pathlib
import sys
import tarfile
import zipfile

root = pathlib.Path(sys.argv[1])
shipped = {f"{folder}/{file.name}": file.read_bytes() for folder in ("models", "docs") for file in (root / folder).iterdir()}
wheel, sdist = zipfile.ZipFile(sys.argv[2]), tarfile.open(sys.argv[3])
top = sdist.getnames()[0].split("/")[0]
for name, content in shipped.items():  # KeyError: it is not there
    assert wheel.read(f"mempool_ids/{name}") == content, f"{name} in the wheel is another"
    packed = sdist.extractfile(f"{top}/python/mempool_ids/{name}")
    assert packed is not None and packed.read() == content, f"{name} in the source distribution is another"
for name in ("defense/broadcast/builders.toml", "defense/artifacts/Pauser.json"):
    assert wheel.read(f"mempool_ids/{name}"), f"{name} in the wheel is empty"
print(f"{len(shipped)} files of models and documentation in the wheel and in the source distribution")
PY

"${PYTHON:-python3}" -m venv "$scratch/venv"
# The locked versions, without the hashes, which pip would ask of the wheel too.
grep -E '^[A-Za-z0-9]' "$root/requirements-dev.txt" | sed 's/ \\$//' >"$scratch/constraints.txt"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --constraint "$scratch/constraints.txt" "$wheel"

cp -r "$root/tests/data/demo" "$scratch/demo"
cd "$scratch"
run() { echo "+ mempool-ids $*" >&2; env -i HOME="$scratch" PATH=/usr/bin:/bin LANG=C.UTF-8 "$scratch/venv/bin/mempool-ids" "$@"; }
run --version
run docs defense >defense.md
grep -q '^# Defense' defense.md
run rules list >rules.txt
test -s rules.txt
run replay demo/capture -c demo/ids.toml --emit all >events.jsonl
"$scratch/venv/bin/python" - <<'PY'
import json
import pathlib

import mempool_ids

events = [json.loads(line) for line in pathlib.Path("events.jsonl").read_text().splitlines()]
transactions = [event for event in events if event["event_type"] == "tx"]
alerts = [event for event in events if event["event_type"] == "alert"]
assert transactions, "no transaction came out of the capture"
assert all(len(event["features"]) == 22 and 0 <= event["probability"] <= 1 for event in transactions)
assert alerts, "the attack in the capture raised no alert"
manifest = json.loads((pathlib.Path(mempool_ids.__file__).parent / "models" / "manifest.json").read_bytes())
used = {(alert["classification"]["model"], alert["classification"]["version"]) for alert in alerts}
assert used == {(manifest["default"], manifest["models"][manifest["default"]]["version"])}, used
print(f"installed wheel: {len(transactions)} transactions replayed, {len(alerts)} alerts")
PY

# Without the extra, what needs it says how to get it; with it, the names are there.
if run drill -c demo/ids.toml 2>drill.txt; then exit 1; fi
grep -q "mempool-ids\[defense\]" drill.txt
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --constraint "$scratch/constraints.txt" "$wheel[defense]"
"$scratch/venv/bin/python" -c "from mempool_ids import DefenseAction, DefenseExecutor, GasStrategy"
run drill --help >/dev/null
