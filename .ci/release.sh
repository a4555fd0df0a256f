#!/usr/bin/env bash
# Builds a release of the committed files into dist/release: archives, deb and rpm, images, the chart, a bill of materials
# for each binary, checksums. Then builds it again in another folder: the bytes must be the same.
#   .ci/release.sh                      all targets, and the second time with an empty build cache
#   .ci/release.sh GOOS/GOARCH...       these targets
# It needs Linux and buildah.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
targets=("$@") cache=$(go env GOCACHE)
if [ $# = 0 ]; then
  targets=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64) cache=$tmp/cache
fi
trap 'rm -rf "$tmp"' EXIT
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/containers"\nrunroot = "%s/run"\n' "$tmp" "$tmp" >"$tmp/storage.conf"
export CONTAINERS_STORAGE_CONF=$tmp/storage.conf BUILDAH_ISOLATION=chroot
export LC_ALL=C TZ=UTC GOFLAGS='' GOTOOLCHAIN=local

# The commit decides, not the clock, the branch or what is not committed.
VERSION=$(git describe --tags --always)
VERSION=${VERSION#v} REVISION=$(git rev-parse HEAD) SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
CREATED=$(date -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)
export VERSION REVISION SOURCE_DATE_EPOCH CREATED
info=(VERSION="$VERSION" REVISION="$REVISION" BRANCH=HEAD BUILD_DATE="$(date -d "@$SOURCE_DATE_EPOCH" +%Y%m%d-%T)")
.ci/tools.sh nfpm >/dev/null
cyclonedx=$(.ci/tools.sh cyclonedx-gomod)/cyclonedx-gomod helm=$(.ci/tools.sh helm)/helm

# pack FILE... writes a tar of what the working directory has by these names.
pack() { tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" -cf - -- "$@"; }

# materials BINARY OUT writes the bill of materials, and holds it against what the Go linker recorded.
materials() {
  "$cyclonedx" bin -json -noserial -notimestamp -std -licenses -version "$VERSION" -output "$2" "$1" 2>/dev/null
  go version -m "$1" | awk '$1 == "dep" {print "pkg:golang/" $2 "@" $3}' | while read -r module; do
    grep -qF "\"$module?" "$2" || { echo "release: $2 lacks $module" >&2; exit 1; }
  done
}

# image BINARY ARCH OUT writes an image that `docker load`, `podman load` and skopeo read.
image() {
  local raw=$tmp/image config digest
  rm -rf "$raw"
  mkdir "$raw"
  ENGINE=buildah .ci/image.sh "$1" "aliyun_cas_exporter:$VERSION" -q --platform "linux/$2" --timestamp "$SOURCE_DATE_EPOCH" --identity-label=false >/dev/null
  buildah push -q "aliyun_cas_exporter:$VERSION" "docker-archive:$raw.tar"
  tar -C "$raw" -xf "$raw.tar"
  rm "$raw.tar"
  # The id of the container that built the image is the one thing in it that is never the same.
  config=$(sed -E 's/.*"Config":"([^"]+)".*/\1/' "$raw/manifest.json")
  sed -i -E 's/"(container|Hostname)":"[0-9a-f]+"/"\1":""/g' "$raw/$config"
  digest=$(sha256sum "$raw/$config" | cut -d ' ' -f 1)
  mv "$raw/$config" "$raw/$digest.json"
  printf '[{"Config":"%s.json","RepoTags":["aliyun_cas_exporter:%s"],"Layers":[%s]}]\n' "$digest" "$VERSION" \
    "$(sed -E 's/.*"Layers":\[([^]]+)\].*/\1/' "$raw/manifest.json")" >"$raw/new"
  mv "$raw/new" "$raw/manifest.json"
  (cd "$raw" && pack manifest.json "$digest.json" ./*.tar >"$3")
}

# chart OUT packages the chart, which asks for the image of this version. Its own version must be semantic.
chart() {
  local version=$VERSION
  [[ $version == *.* ]] || version=0.0.0-g$version
  "$helm" package deploy/helm/aliyun-cas-exporter --version "$version" --app-version "$VERSION" --destination "$1" >/dev/null
}

# build FOLDER OUT builds everything from the source in FOLDER.
build() (
  cd "$1"
  mkdir -p "$2"
  for target in "${targets[@]}"; do
    os=${target%/*} arch=${target#*/} name=aliyun_cas_exporter-$VERSION.${target/\//-}
    binary=dist/$name/aliyun_cas_exporter
    [ "$os" != windows ] || binary+=.exe
    GOOS=$os GOARCH=$arch make -s build "${info[@]}" BINARY="$binary"
    cp --parents -r LICENSE README.md CHANGELOG.md docs/*.md deploy/README.md deploy/systemd deploy/ram-*.json deploy/prometheus/{rules,alertmanager}.yml grafana/*.json "dist/$name"
    (cd dist && pack "$name" | gzip -n >"$2/$name.tar.gz")
    materials "$binary" "$2/$name.cdx.json"
    if [ "$os" = linux ]; then
      .ci/packages.sh "$binary" "$arch" "$2" >/dev/null
      image "$binary" "$arch" "$2/$name.image.tar"
    fi
  done
  chart "$2"
  cd "$2"
  sha256sum -- * >SHA256SUMS
)

for round in one another/one; do
  mkdir -p "$tmp/$round"
  git archive HEAD | tar -C "$tmp/$round" -xf -
done
build "$tmp/one" "$tmp/first"
GOCACHE=$cache build "$tmp/another/one" "$tmp/second"
diff -r "$tmp/first" "$tmp/second" || { echo "release: two builds differ" >&2; exit 1; }
rm -rf dist/release
mkdir -p dist
mv "$tmp/first" dist/release
(cd dist/release && sha256sum -c --quiet SHA256SUMS && du -h -- *)
echo "release: $VERSION, $(wc -l <dist/release/SHA256SUMS) files, the same bytes twice"
