#!/usr/bin/env bash
# Installs the pinned tools that lint, tests and releases need, each once, outside the checkout.
#   .ci/tools.sh NAME...        installs what is missing, then prints the folder of each on a line
# The folders are ${TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/aliyun_cas_exporter/tools}/NAME@VERSION.
set -euo pipefail

root=${TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/aliyun_cas_exporter/tools}

# pin NAME prints the version and the packages of a tool; `-tags` and the like may stand before the packages.
pin() {
  case $1 in
    golangci-lint) echo v2.15.0 github.com/golangci/golangci-lint/v2/cmd/golangci-lint ;;
    # remove_all_sd: an exporter's tests need no service discovery, and its dependencies are half the build.
    prometheus) echo v0.316.0 -tags remove_all_sd github.com/prometheus/prometheus/cmd/promtool github.com/prometheus/prometheus/cmd/prometheus ;;
    # The newest release whose module carries its built web page.
    alertmanager) echo v0.31.1 github.com/prometheus/alertmanager/cmd/alertmanager github.com/prometheus/alertmanager/cmd/amtool ;;
    helm) echo v4.3.1 helm.sh/helm/v4/cmd/helm ;;
    nfpm) echo v2.45.2 github.com/goreleaser/nfpm/v2/cmd/nfpm ;;
    cyclonedx-gomod) echo v1.10.0 github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod ;;
    actionlint) echo v1.7.12 github.com/rhysd/actionlint/cmd/actionlint ;;
    crane) echo v0.22.1 github.com/google/go-containerregistry/cmd/crane ;;
    cosign) echo v3.1.3 github.com/sigstore/cosign/v3/cmd/cosign ;;
    govulncheck) echo v1.9.0 golang.org/x/vuln/cmd/govulncheck ;;
    gotestsum) echo v1.13.0 gotest.tools/gotestsum ;;
    benchstat) echo v0.0.0-20260908200009-22c9c6c9d4da golang.org/x/perf/cmd/benchstat ;;
    *) echo "tools.sh: no tool called $1" >&2; return 2 ;;
  esac
}

for name in "$@"; do
  read -r version rest <<<"$(pin "$name")"
  dir=$root/$name@$version
  if [ ! -e "$dir/.done" ]; then
    echo "installing $name $version" >&2
    args=()
    for word in $rest; do
      case $word in
        */*) args+=("$word@$version") ;;
        *) args+=("$word") ;;
      esac
    done
    mkdir -p "$dir"
    exec 9>"$dir/.lock"
    # Whoever comes second finds it done; where there is no flock, it builds as well.
    ! command -v flock >/dev/null || flock 9
    [ -e "$dir/.done" ] || GOBIN=$dir GOFLAGS='' CGO_ENABLED=0 go install "${args[@]}" >&2
    touch "$dir/.done"
    exec 9>&-
  fi
  echo "$dir"
done
