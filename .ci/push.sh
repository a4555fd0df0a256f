#!/usr/bin/env bash
# Pushes the images in dist/release as one of all their architectures, and prints its digest.
#   .ci/push.sh REGISTRY/NAME:TAG [OPTION...]    the options are those of `buildah manifest push`
set -euo pipefail
cd "$(dirname "$0")/../dist/release"
reference=$1
shift
list=$(buildah manifest create "localhost/release:$$")
digest=$(mktemp)
trap 'buildah manifest rm "$list" >/dev/null; rm -f "$digest"' EXIT
for image in *.image.tar; do
  buildah manifest add "$list" "docker-archive:$image" >/dev/null
done
# Docker's format: that of OCI has no health check.
buildah manifest push -q --all --format v2s2 --digestfile "$digest" "$@" "$list" "docker://$reference"
cat "$digest"
