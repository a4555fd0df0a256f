//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aliyun_cas_exporter/internal/proctest"
	"aliyun_cas_exporter/internal/simulator"
)

// world is everything from the API to the webhook, but for exporters: a test
// starts its own.
type world struct {
	prometheus
	api     *simulator.Simulator
	apiURL  string
	hook    *webhook
	targets string // the file of Prometheus' targets

	scraped []*proctest.Process // the exporters that are in it
}

// newWorld starts a world in which each alert is a message of its own, and lets the test run beside others.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldThatGroups(t, "'...'")
}

// newWorldThatGroups starts a world whose Alertmanager puts alerts with the same labels of these into one message.
func newWorldThatGroups(t *testing.T, groupBy string) *world {
	t.Helper()
	program(t, "E2E_EXPORTER")
	t.Parallel()
	dir := t.TempDir()
	w := &world{prometheus: prometheus{T: t}, api: simulator.New(simulator.Options{}), hook: newWebhook(t), targets: filepath.Join(dir, "targets.json")}
	server := httptest.NewServer(w.api)
	t.Cleanup(server.Close)
	w.apiURL = server.URL

	// Each alert is a message of its own, once, unless the shipped configuration inhibits it.
	shipped, err := os.ReadFile("../../deploy/prometheus/alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	inhibit := regexp.MustCompile(`(?ms)^inhibit_rules:.*`).FindString(string(shipped))
	if inhibit == "" {
		t.Fatal("the shipped configuration of Alertmanager inhibits nothing")
	}
	w.write(filepath.Join(dir, "alertmanager.yml"), `
route: {receiver: test, group_by: [%s], group_wait: 2s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: test, webhook_configs: [{url: %q}]}]
%s`, groupBy, w.hook.url, inhibit)
	alertmanager := start(t, nil, program(t, "E2E_ALERTMANAGER"), "--config.file="+dir+"/alertmanager.yml",
		"--storage.path="+dir+"/alertmanager", "--cluster.listen-address=", "--web.listen-address=127.0.0.1:0")

	rules, err := os.ReadFile("../../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	// On a busy machine a test takes longer than the minute, here, in which a rollout must move, and an exporter needs more
	// than five seconds to start again. The age of a round is by the API's clock, which Date gives in whole seconds: one of
	// them is a third of what is too old here.
	patient := strings.ReplaceAll(string(rules), "offset 1h", "offset 1d")
	for alerts, wait := range map[string]string{"ExporterDown|ExporterTargetDown|ShardMissing": "15m", "PollOverdue": "2h"} {
		patient = regexp.MustCompile(`(?s)(alert: AliyunCas(?:`+alerts+`)\n.*?for: )\w+`).ReplaceAllString(patient, "${1}"+wait)
	}
	w.write(filepath.Join(dir, "rules.yml"), "%s", shrink(patient))
	w.write(w.targets, "[]")
	w.write(filepath.Join(dir, "prometheus.yml"), `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_config_files: [served*.yml]
scrape_configs: [{job_name: aliyun-cas-exporter, file_sd_configs: [{files: [targets.json]}]}]
`, alertmanager.Address)
	w.address = start(t, nil, program(t, "E2E_PROMETHEUS"), "--config.file="+dir+"/prometheus.yml",
		"--storage.tsdb.path="+dir+"/prometheus", "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle", "--scrape.discovery-reload-interval=1s").Address
	w.knows(alertmanager.Address)
	return w
}

// reload lets Prometheus read its configuration again.
func (w *world) reload() {
	w.Helper()
	resp, err := http.Post("http://"+w.address+"/-/reload", "", http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.Fatalf("Prometheus does not take its configuration: %s", resp.Status)
	}
}

func (w *world) write(path, format string, args ...any) {
	w.Helper()
	// Prometheus watches some of the files and must see each whole.
	if err := os.WriteFile(path+".part", fmt.Appendf(nil, format, args...), 0o600); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		w.Fatal(err)
	}
}

// exporter starts an exporter with the timing of the rules: a minute is a second.
func (w *world) exporter(env ...string) *proctest.Process {
	w.Helper()
	return start(w.T, append([]string{
		"CAS_ENDPOINT=" + w.apiURL, "CAS_POLL_INTERVAL=1s", "CAS_STUCK_AFTER=15s", "CAS_RESYNC_INTERVAL=1m", "CAS_MAX_STALENESS=10s",
		fmt.Sprintf("CAS_REQUESTS_PER_SECOND=%d", limit), "CAS_WEB_LISTEN_ADDRESS=127.0.0.1:0",
		"ALIBABA_CLOUD_ACCESS_KEY_ID=" + simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + simulator.DemoAccessKeySecret,
	}, env...), program(w.T, "E2E_EXPORTER"))
}

// limit is the rate of calls that the exporters of a world share.
const limit = 500

// ready waits until an exporter says that it is, as Kubernetes does before it ends
// the one that it replaces.
func (w *world) ready(e *proctest.Process) *proctest.Process {
	w.Helper()
	await(w.T, "the exporter to be ready", func() string {
		_, problem := page("http://" + e.Address + "/-/ready")
		return problem
	})
	return e
}

// scrape makes these exporters, and no others, the targets of Prometheus, and
// waits until it scrapes them and each has polled.
func (w *world) scrape(exporters ...*proctest.Process) {
	w.Helper()
	addresses, want := []string{}, map[string]float64{}
	for _, e := range exporters {
		addresses = append(addresses, e.Address)
		want[e.Address] = 1
	}
	list, err := json.Marshal([]map[string][]string{{"targets": addresses}})
	if err != nil {
		w.Fatal(err)
	}
	w.write(w.targets, "%s", list)
	w.scraped = exporters
	w.sees(`up`, "instance", want)
	w.sees(`group by (instance) (aliyun_cas_poll_last_timestamp_seconds)`, "instance", want)
}

// only checks that these alerts arrived, and no others, and that each was sent once
// when it began and once when it ended.
func (w *world) only(names ...string) {
	w.Helper()
	w.onlyBut(nil, names...)
}

// onlyBut is only, but these fired too and were inhibited.
func (w *world) onlyBut(inhibited []string, names ...string) {
	w.Helper()
	slices.Sort(names)
	all := append(slices.Clone(names), inhibited...)
	slices.Sort(all)
	fired, problem := w.query(`group by (alertname) (last_over_time(ALERTS{alertstate="firing"}[1h]))`, "alertname")
	if diff := problem + cmp.Diff(all, slices.Sorted(maps.Keys(fired)), cmpopts.EquateEmpty()); diff != "" {
		w.Errorf("alerts that fired: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(names, w.hook.names(), cmpopts.EquateEmpty()); diff != "" {
		w.Errorf("alerts that arrived: -want +got\n%s", diff)
	}
	status := map[string]string{}
	for _, n := range w.hook.matching("", nil) {
		key := text(n.Labels)
		if status[key] == n.Status {
			w.Errorf("twice %s: %s", n.Status, key)
		}
		status[key] = n.Status
	}
	metrics, problem := page("http://" + w.address + "/metrics")
	if problem != "" {
		w.Error(problem)
	}
	for _, failures := range regexp.MustCompile(`prometheus_rule_evaluation_failures_total.* [1-9].*`).FindAllString(metrics, -1) {
		w.Errorf("rules that could not be evaluated: %s", failures)
	}
}

// stands holds that an alert has not ended.
func (w *world) stands(n notice) {
	w.Helper()
	if len(w.hook.matching("resolved", n.Labels)) > 0 {
		w.Errorf("ended although nothing was repaired: %s", text(n.Labels))
	}
}

// says holds that an alert carries exactly these labels, and that its summary and
// description together name each of these words.
func (w *world) says(n notice, labels map[string]string, words ...string) {
	w.Helper()
	if diff := cmp.Diff(labels, n.Labels); diff != "" {
		w.Errorf("labels: -want +got\n%s", diff)
	}
	told := n.Annotations["summary"] + "\n" + n.Annotations["description"]
	w.Logf("%s says:\n%s", n.Labels["alertname"], told)
	for _, word := range words {
		if !strings.Contains(told, word) {
			w.Errorf("%s does not name %q", n.Labels["alertname"], word)
		}
	}
	if strings.HasPrefix(n.Annotations["runbook_url"], "http://localhost:10077/runbooks?job_id=") || n.Annotations["page_url"] != "" {
		w.leads(n)
	}
}

// leads follows an alert to a page of the exporter that watches the job, which says the same, except of a host that
// somebody else probed.
func (w *world) leads(n notice) {
	w.Helper()
	path, ok := strings.CutPrefix(n.Annotations["page_url"], "http://localhost:10077/")
	told := ""
	for _, e := range w.scraped {
		text, problem := page("http://" + e.Address + "/" + path)
		told += text + problem
	}
	want := "Runbook of " + n.Labels["alertname"]
	if n.Labels["instance"] != "" {
		want = "job " + n.Labels["job_id"]
	}
	if !ok || !strings.Contains(told, want) {
		w.Errorf("%s leads to %q, which does not say so:\n%s", n.Labels["alertname"], n.Annotations["page_url"], told)
	}
}
