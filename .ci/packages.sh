#!/usr/bin/env bash
# Builds the deb and the rpm around a Linux binary: .ci/packages.sh BINARY ARCH OUT
# VERSION is that of the program; SOURCE_DATE_EPOCH, if set, becomes every time in the packages.
set -euo pipefail
cd "$(dirname "$0")/.."
# An untagged commit comes before every release, and commits behind a release come behind it.
case ${VERSION:?} in
  v[0-9]* | [0-9]*.*) version=$(sed -E 's/^v//; s/-([0-9]+)-g/+\1.g/' <<<"$VERSION") ;;
  *) version=0.0.0-git.$VERSION ;;
esac
mkdir -p "$3"
for format in deb rpm; do
  VERSION=$version ARCH=$2 BINARY=$1 "$(.ci/tools.sh nfpm)/nfpm" package -f deploy/nfpm.yaml -p "$format" -t "$3"
done
