#!/usr/bin/env bash
# Style, layout, the module file. .ci/test.sh looks for known vulnerabilities.
set -euo pipefail
cd "$(dirname "$0")/.."
lint=$(.ci/tools.sh golangci-lint)/golangci-lint
"$lint" config verify
"$lint" fmt --diff
"$lint" run
go mod tidy -diff
echo "lint: clean"
