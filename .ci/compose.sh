#!/usr/bin/env bash
# Holds the compose file against the loader that docker compose uses, and Prometheus' configuration against promtool.
# No engine starts it here.
set -euo pipefail
cd "$(dirname "$0")/.."
lint=$(.ci/tools.sh golangci-lint)/golangci-lint promtool=$(.ci/tools.sh prometheus)/promtool
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp deploy/compose/prometheus.yml deploy/prometheus/rules.yml "$tmp"
"$promtool" check config --lint=all --lint-fatal "$tmp/prometheus.yml"
cd deploy/compose
go mod tidy -diff
"$lint" fmt --diff
"$lint" run --allow-parallel-runners
../../.ci/gotest.sh -count=1 .
echo "compose: not tested: an engine, and Grafana's reading of its files"
