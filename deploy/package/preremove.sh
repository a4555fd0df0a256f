#!/bin/sh
# deb says "remove" or "upgrade"; rpm says how many versions stay installed.
set -e
case $1 in
  remove | 0) ;;
  *) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
systemctl disable --now aliyun_cas_exporter.service aliyun_cas_textfile.timer
