#!/usr/bin/env bash
# Builds the second stage of deploy/Dockerfile around a Linux binary, so that no registry is needed.
#   .ci/image.sh BINARY TAG [OPTION...]    the options are those of `docker build`
# ENGINE is docker, podman or buildah, by default the first that is installed. VERSION, REVISION and CREATED become labels.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1 tag=$2
shift 2

for engine in ${ENGINE:-docker podman buildah}; do
  ! command -v "$engine" >/dev/null || break
done
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/etc/ssl/certs"
# Debian's name of the bundle, then those of Red Hat and macOS.
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
  [ ! -e "$bundle" ] || break
done
install -m 0644 "$bundle" "$stage/etc/ssl/certs/ca-certificates.crt"
install -m 0755 "$binary" "$stage/aliyun_cas_exporter"

# The OCI format has no health check.
BUILDAH_FORMAT=docker "$engine" build -f deploy/Dockerfile -t "$tag" --build-context "build=$stage" \
  --build-arg VERSION="${VERSION:-unknown}" --build-arg REVISION="${REVISION:-unknown}" --build-arg CREATED="${CREATED:-}" "$@" .
