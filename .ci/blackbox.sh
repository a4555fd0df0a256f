#!/usr/bin/env bash
# Prints the path of blackbox_exporter: the one that is installed, else the one of Debian's package, unpacked outside the
# checkout. It is not installed: that would start it as a service.
set -euo pipefail
command -v prometheus-blackbox-exporter blackbox_exporter | head -n 1 | grep . && exit
dir=${TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/aliyun_cas_exporter/tools}/blackbox@debian
binary=$dir/usr/bin/prometheus-blackbox-exporter
if [ ! -e "$binary" ]; then
  mkdir -p "$dir"
  tmp=$(mktemp -d)
  trap 'rm -rf "$tmp"' EXIT
  chmod 755 "$tmp" # apt downloads as another user
  (cd "$tmp" && { apt-get -q download prometheus-blackbox-exporter || { apt-get -q update && apt-get -q download prometheus-blackbox-exporter; }; }) >&2
  dpkg-deb -x "$tmp"/*.deb "$dir"
fi
echo "$binary"
