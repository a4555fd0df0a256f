#!/usr/bin/env bash
# Style, layout, the module file, known vulnerabilities.
set -euo pipefail
cd "$(dirname "$0")/.."
lint=$(.ci/tools.sh golangci-lint)/golangci-lint
"$lint" config verify
"$lint" fmt --diff
"$lint" run
go mod tidy -diff
(cd bench && "$lint" fmt --diff && "$lint" run && go mod tidy -diff)
if [ -d "${VULNDB:-}" ]; then
  "$(.ci/tools.sh govulncheck)/govulncheck" -db "file://$VULNDB" ./...
else
  echo "left out: govulncheck (VULNDB names no folder with a vulnerability database)"
fi
echo "lint: clean"
