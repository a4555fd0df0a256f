#!/usr/bin/env bash
# The exporter, the simulator, Prometheus, Alertmanager and a webhook together; and the local stack.
#   .ci/e2e.sh [GO TEST FLAG...]
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -buildvcs=false -o "$dir/exporter" .
prometheus=$(.ci/tools.sh prometheus) alertmanager=$(.ci/tools.sh alertmanager)
# The tests wait much and work little, so more of them run at once than there are cores.
blackbox=$(.ci/blackbox.sh)
E2E_BLACKBOX=$blackbox E2E_EXPORTER=$dir/exporter E2E_PROMETHEUS=$prometheus/prometheus E2E_ALERTMANAGER=$alertmanager/alertmanager \
  GOTESTSUM_FORMAT=testname .ci/gotest.sh -count=1 -parallel 16 -timeout 10m -tags e2e "$@" ./internal/e2e
