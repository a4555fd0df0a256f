#!/bin/sh
# deb says "remove" or "upgrade"; rpm says how many versions stay installed.
set -e
case $1 in
  remove | 0) ;;
  *) exit 0 ;;
esac
command -v systemctl >/dev/null || exit 0
[ ! -d /run/systemd/system ] || systemctl stop aliyun_cas_exporter.service aliyun_cas_textfile.timer
# Without systemd, as in an image, it still takes the links away.
systemctl --quiet disable aliyun_cas_exporter.service aliyun_cas_textfile.timer
