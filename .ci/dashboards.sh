#!/usr/bin/env bash
# Checks that the dashboards are up to date, and runs their queries in a real Prometheus that scrapes the exporter.
set -euo pipefail
cd "$(dirname "$0")/.."
PROMETHEUS=$(.ci/tools.sh prometheus)/prometheus
lint=$(.ci/tools.sh golangci-lint)/golangci-lint
export PROMETHEUS
cd grafana
go mod tidy -diff
"$lint" fmt --diff
"$lint" run --allow-parallel-runners
GOTESTSUM_FORMAT=standard-verbose ../.ci/gotest.sh -count=1 ./... | grep -vE '^(=== |    --- PASS)'
