#!/usr/bin/env bash
# Holds the dashboards against Grafana's schemas and, in a real Prometheus, against what the exporter exports.
set -euo pipefail
cd "$(dirname "$0")/.."
PROMETHEUS=$(.ci/tools.sh prometheus)/prometheus
lint=$(.ci/tools.sh golangci-lint)/golangci-lint
export PROMETHEUS
# The schemas are no part of this project; where they lie in a folder beside it, they are used.
for folder in "${GRAFANA_SCHEMAS:-}" ../*/grafana-schema; do
  if [ -e "$folder/dashboard.jsonschema.json" ]; then
    GRAFANA_SCHEMAS=$(cd "$folder" && pwd)
    export GRAFANA_SCHEMAS
    break
  fi
done
cd grafana
go mod tidy -diff
"$lint" fmt --diff
"$lint" run --allow-parallel-runners
GOTESTSUM_FORMAT=standard-verbose ../.ci/gotest.sh -count=1 ./... | grep -vE '^(=== |    --- PASS)'
