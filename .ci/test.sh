#!/usr/bin/env bash
# Everything that CI tests, part by part. Two things count as skipped in the closing line, and fail under CI=true: a part
# that needs what is missing here, and a Go test that was skipped in every part.
#   .ci/test.sh [PART...]     runs these parts only
set -uo pipefail
cd "$(dirname "$0")/.." || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'trap - TERM; kill 0; exit 130' INT # what runs behind does not hear of it
mkdir "$tmp/reports"
export TEST_REPORTS=$tmp/reports

only=("$@")
for name in "$@"; do
  grep -q "^  part $name " .ci/test.sh || { echo "test.sh: no part is called $name" >&2; exit 2; }
done

# part NAME NEEDS COMMAND...: NEEDS is a function that installs or finds what the part needs.
part() {
  local name=$1 needs=$2
  shift 2
  if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]]; then return; fi
  echo "=== $name"
  local why
  if ! why=$($needs 2>&1); then
    echo "skipped: $name: ${why##*$'\n'}" >>"$tmp/results"
    return
  fi
  local start=$SECONDS
  if "$@"; then
    echo "passed: $name" >>"$tmp/results"
    echo "--- $name: passed in $((SECONDS - start)) s"
  else
    echo "failed: $name" >>"$tmp/results"
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
  [ -n "$(find /var/lib/apt/lists -name '*Packages*' -mmin -1440 2>/dev/null | head -n 1)" ] || flock "$tmp" apt-get update -q
  DEBIAN_FRONTEND=noninteractive flock "$tmp" apt-get install -q -y --no-install-recommends "$1" || { echo "$1 cannot be installed"; return 1; }
}
chart_needs() { tools helm prometheus golangci-lint; }
compose_needs() { tools prometheus golangci-lint; }
chromium_needs() { command -v google-chrome >/dev/null || debian chromium chromium; }
shellcheck_needs() { debian shellcheck shellcheck; }
# The database of known vulnerabilities: an archive beside the clone, else the network.
vulndb() { compgen -G '../*/vulndb.tar.gz' | head -n 1; }
vulnerabilities_needs() {
  tools govulncheck || return
  [ -n "$(vulndb)" ] || curl -fsS -m 30 -o /dev/null https://vuln.go.dev/index/db.json || { echo "vuln.go.dev cannot be reached, and no vulndb.tar.gz lies in a folder beside the clone"; return 1; }
}
blackbox() { .ci/blackbox.sh >/dev/null || { echo "prometheus-blackbox-exporter is missing, and cannot be downloaded"; return 1; }; }
# The strictest parser of OpenMetrics; a module has no command.
e2e_needs() { alerting && blackbox && { /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || debian python3-prometheus-client python3-prometheus-client; }; }
root() { [ "$(id -u)" = 0 ] || { echo "this is not root"; return 1; }; }
units_needs() { root && tools prometheus && debian systemd systemd-analyze; }
packages_needs() { root && tools nfpm && debian debootstrap debootstrap && debian systemd-container systemd-nspawn && debian rpm rpm; }
release_needs() { root && tools nfpm cyclonedx-gomod helm crane actionlint && debian buildah buildah; }
npm_needs() { debian nodejs node && debian npm npm && node_client >/dev/null; }
# Installs the API's client for JavaScript once, outside the checkout, and prints its folder.
node_client() {
  local version=3.0.0 folder
  folder=${TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/aliyun_cas_exporter/tools}/cas20200407@$version
  if [ ! -e "$folder/.done" ]; then
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts "@alicloud/cas20200407@$version" >&2 ||
      { echo "@alicloud/cas20200407 cannot be installed"; return 1; }
    touch "$folder/.done"
  fi
  echo "$folder/node_modules"
}
image_needs() { root && debian buildah buildah && debian podman podman && debian runc runc && debian busybox-static busybox; }

# These two run for as long as somebody wants: `make soak`, `make scale`.
on_demand='^(TestSoak|TestScale)$'
# What has goroutines of its own.
race() { .ci/gotest.sh -race -shuffle=on -timeout 20m -skip "$on_demand" . ./collector/... ./internal/{aliyun/...,app,cas,server,simulator}; }
# Everything without the race detector: with it the main properties in thousands of cases, what is too large for it, and what
# would make `go test ./...` slow.
properties() { PROPERTY_ROUNDS=15 .ci/gotest.sh -shuffle=on -skip "$on_demand" ./...; }
vulnerabilities() {
  local archive from=()
  archive=$(vulndb)
  if [ -n "$archive" ]; then
    mkdir "$tmp/vulndb" && tar -C "$tmp/vulndb" -xzf "$archive" || return
    # govulncheck is content with an empty database.
    [ "$(find "$tmp/vulndb/ID" -name 'GO-*.json' | wc -l)" -gt 1000 ] || { echo "$archive holds no database"; return 1; }
    from=(-db "file://$tmp/vulndb")
  fi
  "$(.ci/tools.sh govulncheck)/govulncheck" ${from[@]+"${from[@]}"} ./...
}
# module FOLDER [TOOL...] lints and tests a module that is not the program's, with tools in the PATH. Go's cache does not
# know what those read.
module() (
  lint=$(.ci/tools.sh golangci-lint)/golangci-lint gotest=$PWD/.ci/gotest.sh
  for tool in "${@:2}"; do PATH=$(.ci/tools.sh "$tool"):$PATH; done
  cd "$1" && go mod tidy -diff && "$lint" fmt --diff && "$lint" run --allow-parallel-runners --build-tags cluster && "$gotest" -count=1 ./...
)
# Every target for FUZZTIME, after its committed corpus.
fuzz() {
  local file target report
  grep -r --include='*_test.go' '^func Fuzz' . | sed -nE 's/^(.*):func (Fuzz[A-Za-z0-9]+).*/\1 \2/p' | while read -r file target; do
    report=$(go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-3s}" -fuzzminimizetime 10x "$(dirname "$file")" </dev/null) ||
      { echo "$report"; return 1; }
    tail -n 1 <<<"$report"
  done
}
dashboards() { PROMETHEUS=$(.ci/tools.sh prometheus)/prometheus .ci/gotest.sh -count=1 ./grafana; }
browser() { CHROMIUM=$(command -v chromium || command -v google-chrome) .ci/gotest.sh -run '^TestPagesInBrowser$' -count 1 ./internal/app; }
exposition() {
  local dir log
  dir=$(mktemp -d) log=$(mktemp)
  go build -buildvcs=false -o "$dir/exporter" . || return
  "$dir/exporter" --demo --once >"$dir/metrics" 2>"$log" || { cat "$log"; return 1; }
  "$(.ci/tools.sh prometheus)/promtool" check metrics <"$dir/metrics" && grep -q 'aliyun_cas_deployment_workers{.*status="error".*} [1-9]' "$dir/metrics"
}
npm_client() { NODE_PATH=$(node_client) .ci/gotest.sh -count=1 -run '^TestNodeClient$' ./internal/simulator; }
shell_scripts() { git ls-files '*.sh' .ci/run deploy/systemd/aliyun_cas_textfile | xargs shellcheck; }

# Two lanes beside each other, of about the same length: what computes, and, before it when both want a processor, what mostly
# waits, and then the rest.
computing() {
  part race nothing race
  part properties nothing properties
  part fuzz nothing fuzz
  part rules alerting .ci/rules.sh
}
waiting() {
  part e2e e2e_needs .ci/e2e.sh
  part dashboards prometheus dashboards
  part browser chromium_needs browser
  part exposition prometheus exposition
  part npm npm_needs npm_client
  part units units_needs .ci/units-test.sh
  part packages packages_needs .ci/packages-test.sh
  part image image_needs .ci/image-test.sh
  part release release_needs .ci/release-test.sh
  part vulnerabilities vulnerabilities_needs vulnerabilities
  part bench nothing .ci/bench.sh check
  part chart chart_needs module deploy/helm/test helm prometheus
  part compose compose_needs module deploy/compose prometheus
  part shell shellcheck_needs shell_scripts
}
waiting >"$tmp/waiting" 2>&1 &
(renice -n 10 "$BASHPID" >/dev/null 2>&1; computing)
wait
cat "$tmp/waiting"

# Go tests that ran in no part.
find "$TEST_REPORTS" -type f -exec cat {} + | sed -nE 's/.*"Action":"(pass|fail|skip)","Package":"([^"]*)","Test":"(.*)","Elapsed".*/\1 \2.\3/p' |
  awk '{of[$2] = of[$2] $1} END {for (test in of) if (of[test] !~ /pass|fail/) print "skipped: " test}' | sort >>"$tmp/results"
count() { grep -c "^$1: " "$tmp/results"; }
grep '^[fs]' "$tmp/results"
echo "$(count passed) passed, $(count failed) failed, $(count skipped) skipped"
[ "$(count failed)" = 0 ] && { [ "${CI:-}" != true ] || [ "$(count skipped)" = 0 ]; }
