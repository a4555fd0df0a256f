package grafana_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exported is what exporters export in the end: two replicas in cluster a, one each
// in b to f, two of three shards in g, and one in i that watches two regions of the
// API. Job 1 succeeded with failures, of which job 2 repaired some. Job 2 runs.
// Job 0 was deleted. A prober, and a second one for two hosts, check five hosts of these jobs,
// of which one serves the new certificate; and one of a job that nobody watches.
const exported = `
poll_interval_seconds{cluster="a", instance="1"} 60x2880
poll_interval_seconds{cluster="a", instance="2", pod="x"} 60x2880
poll_interval_seconds{cluster="b"} 60x2880
poll_interval_seconds{cluster="c"} 60x2880
poll_interval_seconds{cluster="d"} 60x2880
poll_interval_seconds{cluster="e"} 60x2880
poll_interval_seconds{cluster="f"} 60x2880
poll_last_timestamp_seconds{cluster="a", instance="1"} 0+60x2880
poll_last_timestamp_seconds{cluster="a", instance="2", pod="x"} 0+60x2880
poll_last_timestamp_seconds{cluster="c"} 0+60x2880
poll_last_timestamp_seconds{cluster="d"} 0+60x2870 172200x10
poll_last_timestamp_seconds{cluster="e"} 0+60x2880
poll_last_timestamp_seconds{cluster="f"} 0+60x2880
api_up{cluster="a", instance="1"} 1x2880
api_up{cluster="c"} 1x2870 0x10
api_up{cluster="d"} 1x2880
discovery_up{cluster="c"} 0x2880
discovery_up{cluster="e"} 0x2880
discovery_up{cluster="f"} 1x2880
deployment_job_up{cluster="a", instance="1", job_id="1"} 1x2880
deployment_job_up{cluster="a", instance="2", pod="x", job_id="1"} 0x2880
deployment_job_up{cluster="a", instance="1", job_id="2"} 1x2880
deployment_job_up{cluster="f", job_id="1"} 0x2880
deployment_job_up{cluster="i", api_region="cn-hangzhou", job_id="1"} 1x2880
deployment_job_up{cluster="i", api_region="ap-southeast-1", job_id="1"} 0x2880
deployment_job_info{cluster="i", api_region="ap-southeast-1", job_id="1", job_name="of another region"} 1x2880
deployment_job_info{cluster="a", instance="1", job_id="1", job_name="old name"} 1x2880
deployment_job_info{cluster="a", instance="2", pod="x", job_id="1", job_name="old name"} 1x2880
deployment_job_info{cluster="a", instance="1", job_id="2", job_name="renewal"} 1x2880
deployment_job_status{cluster="a", instance="1", job_id="1", status="success"} 1x2880
deployment_job_status{cluster="a", instance="1", job_id="1", status="error"} 0x2880
deployment_job_status{cluster="a", instance="1", job_id="2", status="processing"} 1x2880
deployment_job_created_timestamp_seconds{cluster="a", job_id="1"} 3600x2880
deployment_job_created_timestamp_seconds{cluster="a", job_id="2"} 170000x2880
deployment_job_start_timestamp_seconds{cluster="a", job_id="1"} 3700x2880
deployment_job_start_timestamp_seconds{cluster="a", job_id="2"} 171000x2880
deployment_job_end_timestamp_seconds{cluster="a", job_id="1"} 4000x2880
deployment_workers{cluster="a", instance="1", job_id="1", cloud_product="SLB", region_id="r", status="error"} 5x2880
deployment_workers{cluster="a", instance="2", pod="x", job_id="1", cloud_product="SLB", region_id="r", status="error"} 5x2880
deployment_workers{cluster="a", instance="1", job_id="1", cloud_product="SLB", region_id="r", status="success"} 18x2880
deployment_workers{cluster="a", instance="1", job_id="1", cloud_product="CDN", status="rollback_error"} 1x2880
deployment_workers{cluster="a", instance="1", job_id="2", cloud_product="SLB", region_id="r", status="success"} 3x2880
deployment_workers{cluster="a", instance="1", job_id="2", cloud_product="SLB", region_id="r", status="processing"} 1x2880
deployment_workers{cluster="a", instance="1", job_id="0", cloud_product="CDN", status="error"} 0x300 7x300
deployment_workers{cluster="f", job_id="1", cloud_product="SLB", region_id="r", status="error"} 2x2880
deployment_superseded_workers{cluster="a", instance="1", job_id="1", cloud_product="SLB", region_id="r", status="error"} 2x2880
deployment_superseded_workers{cluster="a", instance="1", job_id="1", cloud_product="CDN", status="rollback_error"} 1x2880
deployment_workers_oldest_modified_timestamp_seconds{cluster="a", instance="1", job_id="1", cloud_product="SLB", region_id="r", status="error"} 3800x2880
deployment_workers_oldest_modified_timestamp_seconds{cluster="a", instance="1", job_id="1", cloud_product="CDN", status="rollback_error"} 3700x2880
deployment_failed_worker_modified_timestamp_seconds{cluster="a", instance="1", job_id="1", worker_id="11", cloud_product="SLB", region_id="r", status="error"} 3800x2880
deployment_failed_worker_modified_timestamp_seconds{cluster="a", instance="2", pod="x", job_id="1", worker_id="11", cloud_product="SLB", region_id="r", status="error"} 3800x2880
deployment_failed_worker_modified_timestamp_seconds{cluster="a", instance="1", job_id="1", worker_id="12", cloud_product="CDN", status="rollback_error"} 3700x2880
deployment_failed_workers_omitted{cluster="a", instance="1", job_id="1"} 4x2880
deployment_failed_workers_omitted{cluster="a", instance="1", job_id="2"} 0x2880
deployment_failed_workers_omitted{cluster="f", job_id="1"} 0x2880
deployment_stuck_worker_modified_timestamp_seconds{cluster="a", instance="1", job_id="2", worker_id="21", cloud_product="SLB", status="processing"} 171800x2880
deployment_stuck_worker_modified_timestamp_seconds{cluster="a", instance="2", pod="x", job_id="2", worker_id="21", cloud_product="SLB", status="processing"} 171800x2880
deployment_stuck_workers_omitted{cluster="a", instance="1", job_id="1"} 0x2880
deployment_stuck_workers_omitted{cluster="a", instance="1", job_id="2"} 3x2880
deployment_quota_bought{cluster="a", instance="1"} 100x2880
deployment_quota_bought{cluster="f"} 100x2880
deployment_quota_used{cluster="a", instance="1"} 94x2880
deployment_quota_used{cluster="f"} 94x2880
deployment_job_certificate_not_after_timestamp_seconds{cluster="a", instance="1", job_id="1", cert_id="7", common_name="b.example.com"} 345600x2880
deployment_job_certificate_not_after_timestamp_seconds{cluster="a", instance="1", job_id="1", cert_id="8", common_name="a.example.com"} 259200x2880
probe_success{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="new:443"} 1x2880
probe_ssl_last_chain_expiry_timestamp_seconds{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="new:443"} 343800x2880
instance:aliyun_cas_served_certificate_not_after_timestamp_seconds:min{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="new:443"} 343800x2880
probe_success{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="new:443", prober="2"} 0x2880
probe_success{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="both:443"} 1x2880
probe_ssl_last_chain_expiry_timestamp_seconds{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="both:443"} 345600x2880
instance:aliyun_cas_served_certificate_not_after_timestamp_seconds:min{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="both:443"} 345600x2880
probe_success{cluster="a", job_id="2", cert_id="9", cert_name="www", cloud_product="SLB", instance="both:443"} 1x2880
probe_ssl_last_chain_expiry_timestamp_seconds{cluster="a", job_id="2", cert_id="9", cert_name="www", cloud_product="SLB", instance="both:443"} 345600x2880
instance:aliyun_cas_served_certificate_not_after_timestamp_seconds:min{cluster="a", job_id="2", cert_id="9", cert_name="www", cloud_product="SLB", instance="both:443"} 345600x2880
probe_success{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="old:443"} 1x2880
probe_success{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="old:443", prober="2"} 0x2880
probe_ssl_last_chain_expiry_timestamp_seconds{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="old:443"} 200000x2880
instance:aliyun_cas_served_certificate_not_after_timestamp_seconds:min{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="old:443"} 200000x2880
probe_success{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="expired:443"} 0x2880
instance:aliyun_cas_served_certificate_not_after_timestamp_seconds:min{cluster="a", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="expired:443"} 170000x2880
probe_success{cluster="a", job_id="1", cert_id="8", cert_name="www", cloud_product="SLB", instance="silent:443"} 0x2880
probe_success{cluster="a", job_id="5", cert_id="8", cert_name="www", cloud_product="SLB", instance="gone:443"} 0x2880
probe_success{cluster="a", instance="another"} 0x2880
probe_targets{cluster="a", instance="1"} 5x2880
probe_targets{cluster="d"} 0x2880
probe_targets{cluster="f"} 3x2880
deployment_job_certificate_not_after_timestamp_seconds{cluster="a", instance="1", job_id="2", cert_id="9", common_name="c.example.com"} 432000x2880
api_last_error_info{cluster="c", action="ListWorkerResource", reason="server_error", code="InternalError"} 1x2880
api_clock_skew_seconds{cluster="a", instance="1"} -70x2880
api_clock_skew_seconds{cluster="a", instance="2", pod="x"} 10x2880
total_shards{cluster="g", instance="0"} 3x2880
total_shards{cluster="g", instance="1"} 3x2880
shard_info{cluster="g", instance="0", shard="0", total_shards="3", pod_index="0"} 1x2880
shard_info{cluster="g", instance="1", shard="1", total_shards="3", pod_index="1"} 1x2880
exporter_build_info{cluster="g", instance="0", version="1"} 1x2880
exporter_build_info{cluster="h", instance="0", version="2"} 1x2880
job_id:aliyun_cas_deployment_job_last_success_timestamp_seconds:max{cluster="a"} 172770x2880
job_id:aliyun_cas_deployment_job_last_success_timestamp_seconds:max{cluster="f"} 172770x2880
ALERTS{cluster="a", alertname="AliyunCasX", severity="critical", alertstate="firing", job_id="1"} 1x2880
ALERTS{cluster="a", alertname="AliyunCasY", severity="warning", alertstate="pending", job_id="1"} 1x2880
ALERTS{cluster="a", alertname="Other", alertstate="firing"} 1x2880
ALERTS_FOR_STATE{cluster="a", alertname="AliyunCasX", severity="critical", job_id="1"} 172000x2880
ALERTS{cluster="b", alertname="AliyunCasZ", alertstate="firing"} 1x2880
ALERTS_FOR_STATE{cluster="b", alertname="AliyunCasZ"} 171000x2880
ALERTS_FOR_STATE{cluster="a", alertname="AliyunCasY", severity="warning", job_id="1"} 172000x2880
`

// answers returns what panels shall show of that, by title and query.
func answers() map[string][]string {
	const one, two = `job_id="1", cluster="a", job="cas"`, `job_id="2", cluster="a", job="cas"`
	return map[string][]string{
		"Data A": {
			`{cluster="a", job="cas"} 5`, `{cluster="b", job="cas"} 0`, `{cluster="c", job="cas"} 1`,
			`{cluster="d", job="cas"} 2`, `{cluster="e", job="cas"} 3`, `{cluster="f", job="cas"} 4`, `{cluster="i", job="cas"} 4`,
		},
		"Alerts A":              {`{cluster="a", job="cas"} 1`, `{cluster="b", job="cas"} 1`, `{cluster="f", job="cas"} 0`},
		"Firing alerts A":       {`{alertname="AliyunCasX", severity="critical", runbook="AliyunCasX", job_id="1", job_name="old name", cluster="a", job="cas"} 172000000`, `{alertname="AliyunCasZ", runbook="AliyunCasZ", cluster="b", job="cas"} 171000000`},
		"Failed workers A":      {`{cluster="a", job="cas"} 3`, `{cluster="f", job="cas"} 2`},
		"Oldest failure A":      {`{} 169000`},
		"Stuck workers A":       {`{cluster="a", job="cas"} 4`, `{cluster="f", job="cas"} 0`},
		"Oldest stuck worker A": {`{} 1000`},
		"Next expiry A":         {`{} 1`},
		"Deployments left A":    {`{} 6`},
		"Done in running jobs A": {
			`{cluster="a", job="cas"} 0.75`, `{cluster="f", job="cas"} -1`,
		},
		"Unreadable jobs A":                   {`{cluster="a", job="cas"} 0`, `{cluster="f", job="cas"} 1`, `{cluster="i", job="cas"} 1`},
		"Repaired failures A":                 {`{cluster="a", job="cas"} 3`, `{cluster="f", job="cas"} 0`},
		"Not listed below A":                  {`{cluster="a", job="cas"} 7`, `{cluster="f", job="cas"} 0`},
		"Jobs, the newest first A":            {`{status="success", ` + one + `} 1`, `{status="processing", ` + two + `} 1`},
		"Jobs, the newest first B":            {`{` + one + `} 3`, `{` + two + `} 0`, `{job_id="1", cluster="f", job="cas"} 2`},
		"Jobs, the newest first C":            {`{` + one + `} 0`, `{` + two + `} 4`},
		"Jobs, the newest first E":            {`{` + one + `} 0.75`, `{` + two + `} 0.75`},
		"Jobs, the newest first F":            {`{job_name="old name", ` + one + `} 1`, `{job_name="renewal", ` + two + `} 1`, `{job_name="of another region", job_id="1", api_region="ap-southeast-1", cluster="i", job="cas"} 1`},
		"Jobs, the newest first J":            {`{` + one + `} 300`, `{` + two + `} 1800`},
		"Jobs, the newest first K":            {`{common_name="a.example.com", ` + one + `} 1`, `{common_name="c.example.com", ` + two + `} 3`},
		"Failed workers, oldest first A":      {`{worker_id="11", cloud_product="SLB", region_id="r", status="error", job_name="old name", ` + one + `} 3800000`},
		"Stuck workers, oldest first B":       {`{worker_id="21", cloud_product="SLB", status="processing", job_name="renewal", ` + two + `} 1000`},
		"API of each account A":               {`{cluster="a", job="cas"} 1`, `{cluster="c", job="cas"} 0`, `{cluster="d", job="cas"} 1`},
		"Errors of the API A":                 {`{action="ListWorkerResource", reason="server_error", code="InternalError", cluster="c", job="cas"} 1`},
		"Which product fails most A":          {`{cloud_product="SLB", cluster="a", job="cas"} 5`, `{cloud_product="CDN", cluster="a", job="cas"} 8`, `{cloud_product="SLB", cluster="f", job="cas"} 2`},
		"Hosts checked A":                     {`{cluster="a"} 5`, `{cluster="d"} 0`, `{cluster="f"} -1`},
		"Serve the new certificate A":         {`{cluster="a"} 1`},
		"Do not serve it A":                   {`{cluster="a"} 4`},
		"Hosts without the new certificate A": {`{job_name="renewal", job_id="2", cert_id="9", cert_name="www", cloud_product="SLB", instance="both:443", cluster="a"} 1`, `{job_name="old name", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="old:443", cluster="a"} 1`, `{job_name="old name", job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="expired:443", cluster="a"} 0`, `{job_name="old name", job_id="1", cert_id="8", cert_name="www", cloud_product="SLB", instance="silent:443", cluster="a"} 0`},
		"Hosts without the new certificate B": {`{job_id="2", cert_id="9", cert_name="www", cloud_product="SLB", instance="both:443", cluster="a"} 345600000`, `{job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="old:443", cluster="a"} 200000000`, `{job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="expired:443", cluster="a"} 170000000`},
		"Hosts without the new certificate C": {`{job_id="2", cert_id="9", cert_name="www", cloud_product="SLB", instance="both:443", cluster="a"} 432000000`, `{job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="old:443", cluster="a"} 345600000`, `{job_id="1", cert_id="7", cert_name="www", cloud_product="SLB", instance="expired:443", cluster="a"} 345600000`, `{job_id="1", cert_id="8", cert_name="www", cloud_product="SLB", instance="silent:443", cluster="a"} 259200000`},
		"Missing shards A":                    {`{cluster="g", job="cas"} 1`},
		"Clock skew A":                        {`{cluster="a", job="cas"} 70`},
		"Versions and shards A":               {`{instance="0", version="1", cluster="g", job="cas"} 1`, `{instance="0", version="2", cluster="h", job="cas"} 1`},
	}
}

// TestValues evaluates queries on series that are known.
func TestValues(t *testing.T) {
	binary := prometheusBinary(t)
	var file strings.Builder
	file.WriteString("evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n")
	for line := range strings.Lines(strings.TrimSpace(exported)) {
		series, values, _ := strings.Cut(strings.TrimSpace(line), "} ")
		job := "cas"
		switch {
		case strings.HasPrefix(series, "probe_s"):
			job = "prober"
		case !strings.HasPrefix(series, "ALERTS") && !strings.Contains(series, ":"):
			series = "aliyun_cas_" + series
		}
		fmt.Fprintf(&file, "      - {series: '%s, job=%q}', values: '%s'}\n", series, job, values)
	}
	file.WriteString("    promql_expr_test:\n")
	want := answers()
	for _, d := range dashboards(t) {
		for _, q := range d.queries() {
			samples, ok := want[q.where]
			if !ok {
				continue
			}
			delete(want, q.where)
			fmt.Fprintf(&file, "      # %s\n      - expr: %q\n        eval_time: 2880m\n        exp_samples:\n", q.where, interpolate(t, d, q.expr, nil))
			for _, s := range samples {
				labels, value, _ := strings.Cut(s, "} ")
				fmt.Fprintf(&file, "          - {labels: '%s}', value: %s}\n", labels, value)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("no such queries: %v", want)
	}
	path := filepath.Join(t.TempDir(), "values.yml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(binary), "promtool"), "test", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
