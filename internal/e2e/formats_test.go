//go:build e2e

package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/internal/proctest"
)

// demo starts the exporter on its demo.
func demo(t *testing.T) *proctest.Process {
	t.Helper()
	p := start(t, []string{"CAS_WEB_LISTEN_ADDRESS=127.0.0.1:0", "CAS_POLL_INTERVAL=1h"}, program(t, "E2E_EXPORTER"), "--demo")
	await(t, "the first round", func() string {
		_, problem := page("http://" + p.Address + "/-/ready")
		return problem
	})
	return p
}

// TestPythonReadsOpenMetrics lets the strictest parser that there is read a whole page.
func TestPythonReadsOpenMetrics(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import prometheus_client").Run() != nil {
		t.Skip("needs Debian's python3-prometheus-client")
	}
	p := demo(t)
	t.Parallel()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.Address+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	c := exec.CommandContext(t.Context(), python, "-c", `
import sys
from prometheus_client.openmetrics.parser import text_fd_to_metric_families
families = list(text_fd_to_metric_families(sys.stdin))
print(len(families), sum(len(f.samples) for f in families), families[-1].name)`)
	c.Stdin = resp.Body
	out, err := c.CombinedOutput()
	var families, samples int
	var last string
	if _, scanErr := fmt.Sscan(string(out), &families, &samples, &last); err != nil || scanErr != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%d families, %d samples", families, samples)
	if families < 80 || samples < 1000 || !strings.HasPrefix(last, "promhttp_") {
		t.Errorf("%d families, %d samples, the last of %s: want all", families, samples, last)
	}
}

// TestScrapeConfigurations scrapes by fifteen configurations of a real Prometheus, with
// its features about types, units and created timestamps: each has the same series.
func TestScrapeConfigurations(t *testing.T) {
	p := demo(t)
	t.Parallel()
	dir := t.TempDir()
	config := "global: {scrape_interval: 1s}\nscrape_configs:\n"
	var jobs []string
	for _, protocol := range []string{"PrometheusProto", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"} {
		for _, histograms := range []string{"scrape_native_histograms: false", "scrape_native_histograms: true, always_scrape_classic_histograms: true", "convert_classic_histograms_to_nhcb: true"} {
			job := fmt.Sprint(protocol, ", ", histograms)
			jobs = append(jobs, job)
			config += fmt.Sprintf("- {job_name: %q, scrape_protocols: [%s], %s, fallback_scrape_protocol: PrometheusText0.0.4, static_configs: [{targets: [%q]}]}\n", job, protocol, histograms, p.Address)
		}
	}
	world := &world{prometheus: prometheus{T: t}}
	world.write(filepath.Join(dir, "prometheus.yml"), "%s", config)
	world.address = start(t, nil, program(t, "E2E_PROMETHEUS"), "--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/data",
		"--web.listen-address=127.0.0.1:0", "--enable-feature=type-and-unit-labels,created-timestamp-zero-ingestion").Address
	want := map[string]int{}
	for _, job := range jobs {
		world.sees(fmt.Sprintf("up{job=%q}", job), "job", map[string]float64{job: 1})
		got := world.series(job)
		if len(want) == 0 {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) < 70 {
			t.Errorf("%s: %d names (-first +this):\n%s", job, len(got), diff)
		}
	}
}

// series counts the series of a scrape job by name, without histograms, and fails on
// a unit that the name does not have.
func (w *world) series(job string) map[string]int {
	w.Helper()
	var answer struct {
		Result []struct{ Metric map[string]string }
	}
	counts := map[string]int{}
	await(w.T, "series of "+job, func() string {
		problem := w.ask("query", url.Values{"query": {fmt.Sprintf("{job=%q}", job)}}, &answer)
		if problem == "" && len(answer.Result) < 500 {
			problem = fmt.Sprintf("there are %d", len(answer.Result))
		}
		return problem
	})
	for _, r := range answer.Result {
		name := r.Metric["__name__"]
		if unit := r.Metric["__unit__"]; unit != "" && !slices.Contains(strings.Split(name, "_"), unit) {
			w.Errorf("%s: %s has the unit %s", job, name, unit)
		}
		if !strings.HasPrefix(name, "aliyun_cas_api_request_duration_seconds") {
			counts[name]++
		}
	}
	maps.DeleteFunc(counts, func(name string, _ int) bool { return strings.HasPrefix(name, "scrape_") })
	return counts
}
