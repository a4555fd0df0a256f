#!/usr/bin/env bash
# Tests the Helm chart; deploy/helm/test/doc.go says against what.
set -euo pipefail
cd "$(dirname "$0")/.."
helm=$(.ci/tools.sh helm) prometheus=$(.ci/tools.sh prometheus)
lint=$(.ci/tools.sh golangci-lint)/golangci-lint
cd deploy/helm/test
go mod tidy -diff
"$lint" fmt --diff
"$lint" run --allow-parallel-runners
# Go's cache of test results does not know what helm reads.
PATH=$helm:$prometheus:$PATH ../../../.ci/gotest.sh -count=1 ./...
