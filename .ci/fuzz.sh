#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME, after its committed corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do
  grep -oE '^func Fuzz[A-Za-z0-9]+' "$file" | cut -d' ' -f2 | while read -r target; do
    report=$(go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" -fuzzminimizetime 10x "./$(dirname "$file")" </dev/null) ||
      { echo "$report"; exit 1; }
    tail -n 1 <<<"$report"
  done
done
