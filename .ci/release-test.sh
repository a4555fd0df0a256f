#!/usr/bin/env bash
# Builds the release of this host's architecture, twice, pushes its image and its chart to a registry on loopback, and looks
# at what an operator would get. The signatures need GitHub and are not part of the test; the workflows are checked as text.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
registry=''
finish() {
  [ -z "$registry" ] || kill "$registry"
  rm -rf "$tmp"
}
trap finish EXIT
fail() { echo "release: $*" >&2; exit 1; }

"$(.ci/tools.sh actionlint)/actionlint"
! grep -hE '\buses:' .github/workflows/*.yml | grep -vE '@[0-9a-f]{40} # v[0-9.]+$' || fail "an action is not pinned to a commit"
rm -rf dist/release
.ci/release.sh "linux/$(go env GOHOSTARCH)"

version=$(git describe --tags --always)
version=${version#v}
tar -C "$tmp" --strip-components=1 -xzf dist/release/*.tar.gz
said=$("$tmp/aliyun_cas_exporter" --version)
[[ $said == "aliyun_cas_exporter, version $version (branch: HEAD, revision: $(git rev-parse HEAD))"* ]] || fail "the binary says: $said"

printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/containers"\nrunroot = "%s/run"\n' "$tmp" "$tmp" >"$tmp/storage.conf"
export CONTAINERS_STORAGE_CONF=$tmp/storage.conf
crane=$(.ci/tools.sh crane)/crane
"$crane" registry serve --address 127.0.0.1:0 2>"$tmp/log" &
registry=$!
for _ in $(seq 100); do
  port=$(sed -n 's/.*serving on port //p' "$tmp/log")
  [ -z "$port" ] || break
  sleep 0.1
done
image=127.0.0.1:${port:?the registry does not start}/aliyun_cas_exporter
digest=$(.ci/push.sh "$image:$version" --tls-verify=false)
config=$("$crane" config --platform "linux/$(go env GOHOSTARCH)" "$image@$digest")
for part in '"Healthcheck":{"Test":["CMD","/bin/aliyun_cas_exporter","--healthcheck"]' '"User":"65532:65532"' "\"org.opencontainers.image.revision\":\"$(git rev-parse HEAD)\""; do
  [[ $config == *"$part"* ]] || fail "the pushed image lacks $part: $config"
done
helm=$(.ci/tools.sh helm)/helm
"$helm" push --plain-http dist/release/*.tgz "oci://${image%/*}/charts" 2>"$tmp/log" || { cat "$tmp/log"; fail "helm push"; }
"$helm" template cas "oci://${image%/*}/charts/aliyun-cas-exporter" --devel --plain-http --set demo=true >"$tmp/objects" 2>"$tmp/log" ||
  { cat "$tmp/log"; fail "the pushed chart cannot be installed"; }
grep -q "image: aliyun_cas_exporter:$version\$" "$tmp/objects" || fail "the pushed chart asks for another image: $(grep image: "$tmp/objects")"
echo "release: the image is pushed as $digest; not tested: signing and publishing on GitHub"
