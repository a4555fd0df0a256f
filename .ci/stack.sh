#!/usr/bin/env bash
# The exporter on its demo, Prometheus with the shipped rules, Alertmanager, and blackbox_exporter where it can be had, on
# loopback, until a key is pressed.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
# Ctrl-C reaches the programs too, so that some may have ended already.
trap 'jobs -pr | xargs -r kill 2>/dev/null || :; wait; rm -rf "$dir"' EXIT
trap 'exit 0' INT TERM HUP

# start NAME PORT COMMAND... runs a program until the end, at the first port from that on that nobody has.
start() {
  local name=$1 port=$2
  shift 2
  while address=127.0.0.1:$port; do
    "$@" --web.listen-address="$address" >"$dir/$name.log" 2>&1 &
    until grep -qs 'msg="[Ll]istening on"' "$dir/$name.log"; do
      sleep 0.1
      kill -0 $! 2>/dev/null && continue
      grep -qs 'address already in use' "$dir/$name.log" || { cat "$dir/$name.log"; exit 1; }
      port=$((port + 1))
      continue 2
    done
    return
  done
}

tools=$(.ci/tools.sh prometheus alertmanager)
{ read -r prometheus && read -r alertmanager; } <<<"$tools"
go build -buildvcs=false -o "$dir/exporter" .

blackbox=$(.ci/blackbox.sh) || echo "prometheus-blackbox-exporter is missing, and cannot be downloaded: no host is probed"
programs=3 targets=0
[ -z "$blackbox" ] || programs=4 targets=1000

TMPDIR=$dir CAS_PROBE_TARGETS_PER_JOB=$targets start exporter 10077 "$dir/exporter" --demo
exporter=$address

start alertmanager 9093 "$alertmanager/alertmanager" --config.file=deploy/prometheus/alertmanager.yml \
  --storage.path="$dir/alertmanager" --cluster.listen-address=
alerts=$address

# Most hosts of the demo are nowhere; those on localhost are real.
if [ -n "$blackbox" ]; then
  sed "s|tls: true|&, tls_config: {ca_file: $(echo "$dir"/*-demo-ca-*.pem)}|" deploy/prometheus/blackbox.yml >"$dir/blackbox.yml"
  start prober 9115 "$blackbox" --config.file="$dir/blackbox.yml"
  prober=$address
  sed "s|localhost:9115|$prober|
    s|\"http://localhost:10077\(.*\)\"|\"http://$exporter\1\", refresh_interval: 5s|
    /relabel_configs:/a\\      - {source_labels: [__address__], regex: \"localhost:.*\", action: keep}" deploy/prometheus/served.yml >"$dir/served.yml"
fi

# The runbooks are where this exporter is. The rules spare a demo; here its alerts are what there is to see.
sed "s|http://localhost:10077|http://$exporter|" deploy/prometheus/rules.yml >"$dir/rules.yml"
cat >"$dir/prometheus.yml" <<END
global: {scrape_interval: 5s, evaluation_interval: 5s}
rule_files: [rules.yml]
scrape_config_files: ["served*.yml"]
alerting: {alertmanagers: [{static_configs: [{targets: ["$alerts"]}]}]}
scrape_configs:
  - job_name: aliyun-cas-exporter
    static_configs: [{targets: ["$exporter"]}]
    metric_relabel_configs: [{source_labels: [__name__], regex: aliyun_cas_demo, action: drop}]
END
start prometheus 9090 "$prometheus/prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/prometheus"

cat <<END
exporter      http://$exporter/  with /metrics and /runbooks
${prober:+prober        http://$prober/  probes three hosts of the demo, one of which serves an old certificate
}Alertmanager  http://$alerts/  has the first alerts after five minutes, that of the old certificate after 30
Prometheus    http://$address/api/v1/alerts  and the rest of its API; this build has no pages
Press any key to end.
END

while [ "$(jobs -pr | wc -l)" = $programs ]; do
  status=0
  read -rsN1 -t 1 || status=$?
  # A key can arrive just as the time ends.
  [ $status -gt 0 ] && [ -z "$REPLY" ] || exit 0
  [ $status -gt 128 ] || sleep 1 # there is no input to wait for
done
echo "one of them has ended:"
tail -n 5 "$dir"/*.log
exit 1
