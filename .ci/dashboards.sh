#!/usr/bin/env bash
# Holds the dashboards against Grafana's schemas and, in a real Prometheus, against what the exporter exports.
set -euo pipefail
cd "$(dirname "$0")/.."
PROMETHEUS=$(.ci/tools.sh prometheus)/prometheus
lint=$(.ci/tools.sh golangci-lint)/golangci-lint
export PROMETHEUS
cd grafana
go mod tidy -diff
"$lint" fmt --diff
"$lint" run --allow-parallel-runners
go test -count=1 -v ./... | grep -vE '^(=== |    --- PASS)'
