#!/usr/bin/env bash
# Runs `go test` with these arguments, and fails if no test ran. .ci/test.sh reads the reports for skipped tests.
set -euo pipefail
gotestsum=$("$(dirname "$0")/tools.sh" gotestsum)/gotestsum
report=$(mktemp "${TEST_REPORTS:-${TMPDIR:-/tmp}}/gotest.XXXXXX")
[ -n "${TEST_REPORTS:-}" ] || trap 'rm -f "$report"' EXIT
"$gotestsum" --format-hide-empty-pkg --hide-summary skipped --jsonfile-timing-events "$report" -- "$@"
grep -qE '"Action":"(pass|skip)","Package":"[^"]*","Test"' "$report" || { echo "no test ran: go test $*" >&2; exit 1; }
