#!/usr/bin/env bash
# Installs a wheel in an empty environment outside the source tree and uses what it ships: the command, the rules, the
# model. Usage: tools/check-wheel.sh WHEEL
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
wheel=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"${PYTHON:-python3}" -m venv "$scratch/venv"
# The locked versions, without the hashes, which pip would ask of the wheel too.
grep -E '^[A-Za-z0-9]' "$root/requirements-dev.txt" | sed 's/ \\$//' >"$scratch/constraints.txt"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --constraint "$scratch/constraints.txt" "$wheel"

cp -r "$root/tests/data/demo" "$scratch/demo"
cd "$scratch"
run() { echo "+ mempool-ids $*" >&2; env -i HOME="$scratch" PATH=/usr/bin:/bin LANG=C.UTF-8 "$scratch/venv/bin/mempool-ids" "$@"; }
run --version
run rules list >rules.txt
test -s rules.txt
run replay demo/capture -c demo/ids.toml --emit all >events.jsonl
"$scratch/venv/bin/python" - <<'PY'
import json
import pathlib

events = [json.loads(line) for line in pathlib.Path("events.jsonl").read_text().splitlines()]
transactions = [event for event in events if event["event_type"] == "tx"]
alerts = [event for event in events if event["event_type"] == "alert"]
assert transactions, "no transaction came out of the capture"
assert all(len(event["features"]) == 22 and 0 <= event["probability"] <= 1 for event in transactions)
assert alerts, "the attack in the capture raised no alert"
print(f"installed wheel: {len(transactions)} transactions replayed, {len(alerts)} alerts")
PY
