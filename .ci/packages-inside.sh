#!/usr/bin/env bash
# What packages-test.sh runs inside the container: /mnt has the packages, and takes the report and the trace.
set -euo pipefail
exec 3>/mnt/report >/mnt/trace 2>&1
set -x
fail() { set +x; systemctl status 'aliyun_cas_*' --no-pager -l || true; echo "packages: $*"; exit 1; }
# files lists what packages could leave behind; the package managers' own records are none of it.
files() { find / -xdev -regextype posix-extended -regex '/(mnt|proc|run|sys|tmp|root/\.rpmdb|var/(cache|log|lib/(dpkg|rpm|systemd)))' -prune -o -print | LC_ALL=C sort; }
left() { files | LC_ALL=C comm -13 /tmp/before - | tr '\n' ' '; }
is() { [ "$2" = "$3" ] || fail "$1 is '$2', want '$3'"; }
show() { systemctl show -P "$2" "$1"; }
metric() { curl -sS http://localhost:10077/metrics | awk -v "name=$1" '$1 == name {print $2}'; }
# until_ SECONDS COMMAND... waits for a command to succeed.
until_() { local n; for ((n = 0; n < $1 * 5; n++)); do "${@:2}" && return; sleep 0.2; done; fail "not within $1 s: ${*:2}"; }
unit=aliyun_cas_exporter.service
demo() {
  mkdir -p "/run/systemd/system/$unit.d"
  printf '[Service]\nExecStart=\nExecStart=/usr/bin/aliyun_cas_exporter --demo\n' >"/run/systemd/system/$unit.d/demo.conf"
  systemctl daemon-reload
}

files >/tmp/before
dpkg -i /mnt/package.deb
aliyun_cas_exporter --version
is "the unit after installation" "$(systemctl is-enabled $unit) $(show $unit ActiveState)" "disabled inactive"

# Without a key it runs, and says what is missing.
systemctl enable --now $unit
until_ 30 aliyun_cas_exporter --healthcheck
refused() { [ "$(metric 'aliyun_cas_poll_failures_total{reason="auth"}')" != 0 ]; }
until_ 30 refused
journalctl -u $unit | grep -q 'access key id file: is empty' || fail "the log does not say that the key is missing"

# With one it gets as far as the network, which is not there.
(umask 077; echo id >/etc/aliyun_cas_exporter/access_key_id; echo secret >/etc/aliyun_cas_exporter/access_key_secret)
systemctl restart $unit
until_ 30 aliyun_cas_exporter --healthcheck
reached() { [ "$(metric 'aliyun_cas_api_request_failures_total{action="ListDeploymentJob",reason="network"}')" != 0 ]; }
until_ 30 reached
is "authentication failures with a key" "$(metric 'aliyun_cas_poll_failures_total{reason="auth"}')" 0

# An upgrade restarts what runs.
demo
first=$(show $unit MainPID)
dpkg -i /mnt/package.deb
until_ 30 aliyun_cas_exporter --healthcheck
pid=$(show $unit MainPID)
[ "$pid" != "$first" ] || fail "the upgrade left the old process"
is "the demo" "$(metric aliyun_cas_demo)" 1
[ -n "$(metric process_start_time_seconds)" ] || fail "the sandbox hides /proc/stat"
process() { awk -v "name=$1:" '$1 == name {print $2}' "/proc/$pid/status"; }
[ "$(process Uid)" -ge 61184 ] || fail "the user is $(process Uid), want one of DynamicUser"
is "the effective capabilities" "$(process CapEff)" 0000000000000000
is "no_new_privs and seccomp" "$(process NoNewPrivs) $(process Seccomp)" "1 2"
is "the root file system" "$(awk '$2 == "/" {print substr($4, 1, 2)}' "/proc/$pid/mounts")" ro
[ ! -e "/proc/$pid/root/root/.bashrc" ] || fail "the service sees /root"
exposure=$(systemd-analyze security $unit --no-pager | sed -n 's/.*: \([0-9.]* [A-Z]*\).*/\1/p')

# Bad settings end it for good.
echo CAS_POLL_INTERVAL=soon >/etc/default/aliyun_cas_exporter
systemctl restart $unit || true
until_ 30 systemctl is-failed -q $unit
is "its exit status" "$(show $unit ExecMainStatus)" 2
: >/etc/default/aliyun_cas_exporter

# Textfile mode.
useradd --system prometheus
install -d -o prometheus /var/lib/prometheus/node-exporter
mkdir -p /run/systemd/system/aliyun_cas_textfile.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/libexec/aliyun_cas_textfile /var/lib/prometheus/node-exporter --demo\nEnvironment=CAS_REQUESTS_PER_SECOND=200\n' \
  >/run/systemd/system/aliyun_cas_textfile.service.d/demo.conf
systemctl daemon-reload
systemctl start aliyun_cas_textfile.service || fail "textfile mode"
is "what textfile mode wrote" "$(stat -c '%n %U %a' /var/lib/prometheus/node-exporter/.[!.]* /var/lib/prometheus/node-exporter/* 2>/dev/null)" \
  "/var/lib/prometheus/node-exporter/aliyun_cas_exporter.prom prometheus 644"
grep -qx 'aliyun_cas_poll_interval_seconds 300' /var/lib/prometheus/node-exporter/*.prom || fail "textfile mode does not tell its interval"
systemctl enable --now aliyun_cas_textfile.timer
is "the timer" "$(show aliyun_cas_textfile.timer ActiveState)" active
rm -r /var/lib/prometheus /run/systemd/system/aliyun_cas_*
userdel prometheus

dpkg -r aliyun-cas-exporter
is "the service and the timer after removal" "$(show $unit LoadState) $(show aliyun_cas_textfile.timer LoadState)" "not-found not-found"
is "what still runs" "$(readlink /proc/[0-9]*/exe | grep aliyun || true)" ""
is "what is left after removal" "$(left)" "/etc/aliyun_cas_exporter /etc/aliyun_cas_exporter/access_key_id /etc/aliyun_cas_exporter/access_key_secret /etc/default/aliyun_cas_exporter "
dpkg -P aliyun-cas-exporter
is "what is left after purging" "$(left)" ""

# The same where systemd does not run, as while an image is made.
mkdir /tmp/image
mount --bind / /tmp/image
mount --bind /mnt /tmp/image/mnt
chroot /tmp/image dpkg -i /mnt/package.deb
chroot /tmp/image systemctl enable $unit
chroot /tmp/image dpkg -P aliyun-cas-exporter
umount /tmp/image/mnt /tmp/image
is "what is left after purging without systemd" "$(left)" ""

rpm -i --nodeps /mnt/package.rpm
demo
systemctl enable --now $unit
until_ 30 aliyun_cas_exporter --healthcheck
is "the demo of the rpm" "$(metric aliyun_cas_demo)" 1
rpm -V --nodeps aliyun-cas-exporter || fail "the rpm's files are not as packed"
rpm -e --nodeps aliyun-cas-exporter
is "the service after the rpm's removal" "$(systemctl is-active $unit)" inactive
rm -r /run/systemd/system/aliyun_cas_*
is "what is left of the rpm" "$(left)" ""
echo >&3 "packages: deb and rpm installed, started under systemd, upgraded and removed; exposure $exposure"
