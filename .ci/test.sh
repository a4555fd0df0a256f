#!/usr/bin/env bash
# Everything that CI tests, part by part. A part whose needs cannot be met here is left out, which the last lines
# say; under CI=true nothing may be left out.
#   .ci/test.sh [PART...]     runs these parts only
set -uo pipefail
cd "$(dirname "$0")/.." || exit

passed=0 failed=0 left=() only=("$@")
for name in "$@"; do
  grep -q "^part $name " .ci/test.sh || { echo "test.sh: no part is called $name" >&2; exit 2; }
done

# part NAME NEEDS COMMAND...: NEEDS is a function that installs or finds what the part needs.
part() {
  local name=$1 needs=$2
  shift 2
  if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]]; then return; fi
  echo "=== $name"
  local why
  if ! why=$($needs 2>&1); then
    left+=("$name: ${why##*$'\n'}")
    return
  fi
  local start=$SECONDS
  if "$@"; then
    passed=$((passed + 1))
    echo "--- $name: passed in $((SECONDS - start)) s"
  else
    failed=$((failed + 1))
    echo "--- $name: FAILED"
  fi
}

nothing() { :; }
tools() { .ci/tools.sh "$@" >/dev/null || { echo "the tools $* cannot be installed"; return 1; }; }
prometheus() { tools prometheus; }
alerting() { tools prometheus alertmanager; }

# debian PACKAGE COMMAND: has the command, or installs its package.
debian() {
  command -v "$2" >/dev/null && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$2 is missing, and this is not root on Debian"
    return 1
  fi
  [ -n "$(find /var/lib/apt/lists -name '*Packages*' -mmin -1440 2>/dev/null | head -n 1)" ] || apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$1" || { echo "$1 cannot be installed"; return 1; }
}
dashboards_needs() { tools prometheus golangci-lint; }
chart_needs() { tools helm prometheus golangci-lint; }
chromium_needs() { command -v google-chrome >/dev/null || debian chromium chromium; }
shellcheck_needs() { debian shellcheck shellcheck; }
root() { [ "$(id -u)" = 0 ] || { echo "this is not root"; return 1; }; }
units_needs() { root && tools prometheus && debian systemd systemd-analyze; }
packages_needs() { root && tools nfpm && debian debootstrap debootstrap && debian systemd-container systemd-nspawn && debian rpm rpm; }
release_needs() { root && tools nfpm cyclonedx-gomod helm crane actionlint && debian buildah buildah; }
image_needs() { root && debian buildah buildah && debian podman podman && debian runc runc && debian busybox-static busybox; }

go_tests() { go test -race -shuffle=on -timeout 20m ./...; }
# Without the race detector: the main properties in thousands of cases, and what is too large for it.
properties() { PROPERTY_ROUNDS=15 go test -count=1 -v ./collector | grep -vE '\[rapid\] OK|^=== RUN|^ *--- PASS: .*/'; }
bench() { (cd bench && go vet ./... && go test ./...) && .ci/bench.sh check; }
fuzz_smoke() { FUZZTIME=3s .ci/fuzz.sh; }
exposition() {
  local dir log
  dir=$(mktemp -d) log=$(mktemp)
  go build -buildvcs=false -o "$dir/exporter" . || return
  "$dir/exporter" --demo --once >"$dir/metrics" 2>"$log" || { cat "$log"; return 1; }
  "$(.ci/tools.sh prometheus)/promtool" check metrics <"$dir/metrics" && grep -q 'aliyun_cas_deployment_workers{.*status="error".*} [1-9]' "$dir/metrics"
}
shell_scripts() { git ls-files '*.sh' .ci/run deploy/systemd/aliyun_cas_textfile | xargs shellcheck; }

part go nothing go_tests
part properties nothing properties
part bench nothing bench
part fuzz nothing fuzz_smoke
part exposition prometheus exposition
part rules alerting .ci/rules.sh
part chart chart_needs .ci/chart.sh
part browser chromium_needs .ci/browser.sh
part e2e alerting .ci/e2e.sh
part shell shellcheck_needs shell_scripts
part image image_needs .ci/image-test.sh
part units units_needs .ci/units-test.sh
part packages packages_needs .ci/packages-test.sh
part dashboards dashboards_needs .ci/dashboards.sh
part compose prometheus .ci/compose.sh
part release release_needs .ci/release-test.sh

for line in ${left[@]+"${left[@]}"}; do echo "left out: $line"; done
[ "${CI:-}" = true ] && failed=$((failed + ${#left[@]}))
echo "$passed passed, $failed failed, ${#left[@]} skipped"
[ "$failed" = 0 ]
