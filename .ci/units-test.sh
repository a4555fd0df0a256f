#!/usr/bin/env bash
# The systemd units as far as they can be judged without being started, and the script of textfile mode as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap '! mountpoint -q "$tmp/full" || umount "$tmp/full"; rm -rf "$tmp"' EXIT
fail() { echo "units: $*" >&2; exit 1; }
make -s build BINARY="$tmp/aliyun_cas_exporter"
export PATH=$tmp:$PATH CAS_REQUESTS_PER_SECOND=200

# systemd-analyze wants programs where the units say; the packages put them there.
mkdir "$tmp/units"
for unit in deploy/systemd/*.{service,timer}; do
  sed "s|^ExecStart=/usr/bin/|ExecStart=$tmp/|; s|^ExecStart=/usr/libexec/|ExecStart=$PWD/deploy/systemd/|" "$unit" >"$tmp/units/${unit##*/}"
done
complaints=$(systemd-analyze verify "$tmp"/units/* 2>&1) || fail "systemd-analyze verify: $complaints"
[ -z "$complaints" ] || fail "systemd-analyze verify: $complaints"
for unit in "$tmp"/units/*.service; do
  # The threshold is in tenths: 1.5 is "OK", and a directive that is lost shows.
  systemd-analyze security --offline=true --threshold=12 "$unit" | tail -n 1 || fail "${unit##*/} is exposed more than it was"
done

publish() { deploy/systemd/aliyun_cas_textfile "$@" 2>"$tmp/log"; }
published=$tmp/node/aliyun_cas_exporter.prom
mkdir "$tmp/node"
only() { [ "$(ls -A "$tmp/node")" = aliyun_cas_exporter.prom ] || fail "$1 left $(ls -A "$tmp/node")"; }
status() { local want=$1; shift; local got=0; "$@" || got=$?; [ "$got" = "$want" ] || fail "$*: status $got, want $want: $(cat "$tmp/log")"; }

umask 077
status 0 publish "$tmp/node" --demo
only "the demo"
[ "$(stat -c %a "$published")" = 644 ] || fail "node_exporter cannot read the file"
grep -q '^aliyun_cas_demo 1' "$published" || fail "the demo is not published"
"$(.ci/tools.sh prometheus)/promtool" check metrics <"$published"

# A reader of the last file is not disturbed, and a poll that failed is published: it is the news.
exec 3<"$published"
failing() { ALIBABA_CLOUD_ACCESS_KEY_ID=id ALIBABA_CLOUD_ACCESS_KEY_SECRET=secret CAS_JOB_IDS=8888 CAS_ENDPOINT=http://127.0.0.1:1 CAS_MAX_ATTEMPTS=1 publish "$tmp/node"; }
status 1 failing
only "a failing job"
grep -q '^aliyun_cas_deployment_job_up{job_id="8888"} 0' "$published" || fail "a failing job is not published"
grep -q '^aliyun_cas_shard_info' <&3 || fail "the last file was changed under its reader"

# Whatever ends without whole output leaves the last file alone.
before=$(sha256sum "$published")
kept() { only "$1"; [ "$(sha256sum "$published")" = "$before" ] || fail "$1 replaced the file"; }
wrong() { CAS_POLL_INTERVAL=soon publish "$tmp/node"; }
status 1 wrong
kept "a wrong setting"
mkdir "$tmp/fake"
fake() { printf '#!/bin/sh\n%s\n' "$1" >"$tmp/fake/aliyun_cas_exporter"; chmod +x "$tmp/fake/aliyun_cas_exporter"; PATH=$tmp/fake:$PATH publish "$tmp/node"; }
status 1 fake "head -n 20 $tmp/node/*.prom; exit 1"
kept "output cut at a line"
status 1 fake "head -c -3 $tmp/node/*.prom"
kept "output cut in the last line"
status 143 fake "cat $tmp/node/*.prom; kill \$PPID"
kept "a signal"
mkdir "$tmp/full"
mount -t tmpfs -o size=8k,mode=755 none "$tmp/full"
status 1 publish "$tmp/full" --demo
[ -z "$(ls -A "$tmp/full")" ] || fail "a full disk has $(ls -A "$tmp/full")"
# Nobody else decides where the file goes.
foreign() {
  rm -f "$tmp/foreign"/*.prom
  status 1 publish "$1" --demo
  grep -q 'nobody else may write' "$tmp/log" || fail "it is not said why nothing was published into $2"
  [ -z "$(ls -A "$tmp/foreign")" ] || fail "it was published into $2"
}
mkdir "$tmp/foreign"
ln -s foreign "$tmp/link"
chown nobody "$tmp/foreign"
foreign "$tmp/foreign" "a directory of another user"
foreign "$tmp/link" "a directory of another user, by a link"
chown root "$tmp/foreign"
chmod 0775 "$tmp/foreign"
foreign "$tmp/foreign" "a directory that a group can write to"
chmod 0757 "$tmp/foreign"
foreign "$tmp/foreign" "a directory that everybody can write to"
chmod 0755 "$tmp/foreign"
status 0 publish "$tmp/link" --demo

echo "units: verified; textfile mode publishes whole polls only"
