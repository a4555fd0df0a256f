#!/usr/bin/env bash
# Builds the deb and the rpm, boots systemd in a container, and there installs, starts and removes both.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "packages: $*" >&2; exit 1; }

# A root of the host's own release, kept outside the checkout; the container writes above it.
root=/var/cache/aliyun_cas_exporter/systemd-root
if [ ! -e "$root.done" ]; then
  rm -rf "$root"
  # In a subshell: the file sets VERSION, which the Makefile exports for the build below.
  # shellcheck source=/dev/null
  read -r id codename <<<"$(. /etc/os-release && echo "$ID $VERSION_CODENAME")"
  components=main
  [ "$id" != ubuntu ] || components=main,universe
  mkdir -p "$root"
  debootstrap --variant=minbase --components="$components" --include=curl,dbus,rpm,systemd,systemd-sysv "$codename" "$root" >"$tmp/log" 2>&1 ||
    { tail "$tmp/log"; fail "debootstrap"; }
  touch "$root.done"
fi

rm -rf dist/packages
GOOS=linux make -s packages >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "make packages"; }
mv dist/packages/*.deb "$tmp/package.deb"
mv dist/packages/*.rpm "$tmp/package.rpm"
# Modes and names of the files are the same in both.
dpkg-deb -c "$tmp/package.deb" | awk '!/^d/ {print $1, substr($6, 2)}' | LC_ALL=C sort >"$tmp/deb"
rpm -qplv "$tmp/package.rpm" | awk '!/^d/ {print $1, $9}' | LC_ALL=C sort >"$tmp/rpm"
diff "$tmp/deb" "$tmp/rpm" || fail "the deb and the rpm have different files"
for file in examples/alertmanager.yml examples/rules.yml examples/served.yml examples/blackbox.yml examples/ram-policy.json runbooks.md; do
  grep -q "^-rw-r--r-- /usr/share/doc/aliyun-cas-exporter/$file\$" "$tmp/deb" || fail "the packages lack $file"
done
[ "$(dpkg-deb -f "$tmp/package.deb" Recommends) $(rpm -qp --recommends "$tmp/package.rpm")" = "ca-certificates ca-certificates" ] ||
  fail "the packages do not recommend ca-certificates"

cp .ci/packages-inside.sh "$tmp"
status=0
timeout 300 systemd-nspawn -q -D "$root" --volatile=overlay --register=no --keep-unit --private-network --console=pipe --bind="$tmp:/mnt" \
  -b systemd.run=/mnt/packages-inside.sh systemd.run_success_action=exit systemd.run_failure_action=exit </dev/null >"$tmp/console" 2>&1 || status=$?
[ "$status" = 0 ] || { tail -n 60 "$tmp/trace" || cat "$tmp/console"; fail "the container ended with status $status"; }
tail -n 1 "$tmp/report"
