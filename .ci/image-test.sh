#!/usr/bin/env bash
# Builds the image by both of its ways and runs it as a hardened container.
# The base image of the first stage comes from a registry and is not part of the test: a stand-in lends this host's Go.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
running=''
finish() {
  [ -z "$running" ] || podman_ rm -f "$running" >/dev/null 2>&1
  rm -rf "$tmp"
}
trap finish EXIT
fail() { echo "image: $*" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1 is $2, want $3"; }

printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/containers"\nrunroot = "%s/run"\n' "$tmp" "$tmp" >"$tmp/storage.conf"
export CONTAINERS_STORAGE_CONF=$tmp/storage.conf BUILDAH_ISOLATION=chroot
podman_() { podman --cgroup-manager=cgroupfs --events-backend=file --runtime runc "$@"; }
# unpacked IMAGE FOLDER puts the files of an image into a folder.
unpacked() {
  local container
  container=$(buildah from --pull-never "$1" 2>/dev/null)
  cp -a "$(buildah mount "$container")" "$2"
  buildah rm "$container" >/dev/null
}

# From the source, for the other architecture: the same bytes as a cross-compiled local build.
host=$(go env GOHOSTARCH) other=arm64
[ "$host" = amd64 ] || other=amd64
mkdir -p "$tmp"/base/{bin,etc/ssl/certs,root,tmp}
cp "$(command -v busybox)" "$tmp/base/bin/sh"
cp /etc/ssl/certs/ca-certificates.crt "$tmp/base/etc/ssl/certs/"
printf 'FROM scratch\nCOPY . /\nENV PATH=/usr/local/go/bin:/bin HOME=/root GOPATH=/go\n' >"$tmp/Dockerfile"
version=$(sed -n 's/^ARG GO_VERSION=//p' deploy/Dockerfile)
buildah build -q -f "$tmp/Dockerfile" -t "docker.io/library/golang:$version" "$tmp/base" >/dev/null
ldflags=$(make -s ldflags)
# buildah 1.28 knows no BUILDPLATFORM of its own.
BUILDAH_FORMAT=docker buildah build -q --pull-never --network host --platform "linux/$other" \
  --build-arg BUILDPLATFORM="linux/$host" --build-arg LDFLAGS="$ldflags" --build-arg CREATED=now \
  -v "$(go env GOROOT):/usr/local/go:ro" -v "$(go env GOMODCACHE):/go/pkg/mod" -v "$(go env GOCACHE):/root/.cache/go-build" \
  -f deploy/Dockerfile -t from-source . >/dev/null
expect "the architecture of the image from the source" "$(podman_ image inspect -f '{{.Architecture}}' from-source)" "$other"
unpacked from-source "$tmp/from-source"
GOOS=linux GOARCH=$other make -s build BINARY="$tmp/local"
cmp "$tmp/from-source/bin/aliyun_cas_exporter" "$tmp/local" || fail "the Dockerfile and make build different bytes"

# Around a local build, for this architecture: as operators run it.
make -s image ENGINE=buildah VERSION=1.2.3-test >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "make image"; }
image=localhost/aliyun_cas_exporter:1.2.3-test
of() { podman_ image inspect -f "$1" "$image"; }
expect user "$(of '{{.Config.User}}')" 65532:65532
expect entrypoint "$(of '{{.Config.Entrypoint}}')" '[/bin/aliyun_cas_exporter]'
expect port "$(of '{{.Config.ExposedPorts}}')" 'map[10077/tcp:{}]'
expect "health check" "$(of '{{.HealthCheck.Test}}')" '[CMD /bin/aliyun_cas_exporter --healthcheck]'
expect version "$(of '{{index .Labels "org.opencontainers.image.version"}}')" 1.2.3-test
expect revision "$(of '{{index .Labels "org.opencontainers.image.revision"}}')" "$(git rev-parse HEAD)"
for label in title description licenses created; do
  [ -n "$(of "{{index .Labels \"org.opencontainers.image.$label\"}}")" ] || fail "label $label is empty"
done
unpacked "$image" "$tmp/files"
expect files "$(cd "$tmp/files" && find . -type f | LC_ALL=C sort | tr '\n' ' ')" './bin/aliyun_cas_exporter ./etc/ssl/certs/ca-certificates.crt '

running=$(podman_ run -d --network none --read-only --read-only-tmpfs=false --cap-drop=all --security-opt=no-new-privileges \
  --ulimit nofile=1024:2048 --ulimit nproc=2048:2048 "$image" --demo 2>"$tmp/log") || { cat "$tmp/log"; fail "it does not run"; }
pid=$(podman_ inspect -f '{{.State.Pid}}' "$running")
for _ in $(seq 300); do
  podman_ healthcheck run "$running" >/dev/null 2>&1 && healthy=1 && break
  sleep 0.1
done
[ -n "${healthy:-}" ] || { podman_ logs "$running"; fail "it is not healthy after 30 s"; }
nsenter -t "$pid" -n busybox wget -q -O "$tmp/metrics" http://127.0.0.1:10077/metrics
grep -q '^aliyun_cas_demo 1' "$tmp/metrics" || fail "/metrics does not show the demo"
status() { awk -v "name=$1:" '$1 == name {print $2}' "/proc/$pid/status"; }
expect uid "$(status Uid)" 65532
expect "effective capabilities" "$(status CapEff)" 0000000000000000
expect "no_new_privs" "$(status NoNewPrivs)" 1
expect "the root file system" "$(awk '$2 == "/" {print substr($4, 1, 2)}' "/proc/$pid/mounts")" ro
podman_ stop "$running" >/dev/null 2>&1
expect "exit status" "$(podman_ inspect -f '{{.State.ExitCode}}' "$running")" 0

printf 'image: %s MB; runs as 65532, root file system read-only, no capability, healthy by its own check\n' \
  "$(of '{{.Size}}' | awk '{printf "%.1f", $1 / 1e6}')"
echo "image: not tested: the official golang image of the first stage"
