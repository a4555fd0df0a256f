#!/usr/bin/env bash
# The alerts: their syntax, their tests, that the tests see mistakes, and that their runbooks and queries exist.
set -euo pipefail
cd "$(dirname "$0")/.."
PROMTOOL=$(.ci/tools.sh prometheus)/promtool
amtool=$(.ci/tools.sh alertmanager)/amtool
export PROMTOOL

"$PROMTOOL" check rules --lint=all --lint-fatal deploy/prometheus/rules.yml
"$amtool" check-config deploy/prometheus/alertmanager.yml
report=$(GOTESTSUM_FORMAT=standard-verbose .ci/gotest.sh -count=1 -timeout 20m ./deploy/prometheus) || { grep -v '^ *=== \|--- PASS' <<<"$report"; exit 1; }
mutants=$(grep -o '[0-9]* of [0-9]* mutants killed' <<<"$report")
count() { grep -c "$1" "$2"; }
echo "rules: $(count ' - alert:' deploy/prometheus/rules.yml) alerts, $(count ' - record:' deploy/prometheus/rules.yml) recording rules," \
  "$(count '^  - name:' deploy/prometheus/rules_test.yml) tests of $(count ' series: ' deploy/prometheus/rules_test.yml) series, $mutants"
