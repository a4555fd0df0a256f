#!/bin/sh
# deb says "remove", "purge" or "upgrade"; rpm, which purges nothing, says how many versions stay installed.
set -e
[ "$1" != purge ] || rm -rf /etc/aliyun_cas_exporter
[ ! -d /run/systemd/system ] || systemctl daemon-reload
