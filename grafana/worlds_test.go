package grafana_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// TestReplicasAndShards runs the queries where one exporter watches the account,
// where two do the same, where three share its jobs, and where one in each of two
// clusters watches it: the overview is the same, for each cluster.
func TestReplicasAndShards(t *testing.T) {
	exporter := buildExporter(t)
	moment := time.Now()
	estate := simulator.Demo(1, func() time.Time { return moment })
	api := httptest.NewServer(estate)
	defer api.Close()
	watch := func(more map[string]string) []string {
		settings := map[string]string{
			"CAS_ENDPOINT": api.URL, "CAS_REQUESTS_PER_SECOND": "300",
			"ALIBABA_CLOUD_ACCESS_KEY_ID": simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": simulator.DemoAccessKeySecret,
		}
		maps.Copy(settings, more)
		return []string{startExporter(t, exporter, settings)}
	}
	shard := func(number string) []string {
		return watch(map[string]string{"CAS_SHARD": number, "CAS_TOTAL_SHARDS": "3"})
	}
	first, second := watch(nil), watch(nil)
	prober := startProber(t, hostsOf(estate)...)
	probe := probing(prober, "")
	one := startPrometheus(t, scrape{job: "cas", targets: first}, probe)
	worlds := map[string]prometheus{
		// A labelmap gives replicas labels of all kinds.
		"two replicas": startPrometheus(t, scrape{job: "cas", targets: first, labels: "pod: a, hash: a1"}, scrape{job: "cas", targets: second, labels: "pod: b, version: v2"}, probe),
		// Native histograms are scraped here, so that both kinds are queried.
		"three shards": startPrometheus(t, scrape{job: "cas", targets: slices.Concat(shard("0"), shard("1"), shard("2")), more: "    scrape_native_histograms: true\n"}, probe),
		"two clusters": startPrometheus(t, scrape{job: "cas", targets: first, labels: "cluster: a"}, scrape{job: "cas", targets: second, labels: "cluster: b"},
			probing(prober, "cluster: a"), probing(prober, "cluster: b")),
	}
	all := dashboards(t)
	overview := all["aliyun-cas-overview.json"]
	for _, q := range overview.queries() {
		expr := interpolate(t, overview, q.expr, nil)
		if strings.Contains(expr, "ALERTS") || strings.Contains(expr, "last_error") {
			// When an alert fires is another moment in each, and nothing fails.
			continue
		}
		eventually(t, q.where, func() error {
			at := time.Now()
			want, err := stable(one, expr, at)
			if err != nil {
				return err
			}
			for world, p := range worlds {
				got, err := stable(p, expr, at)
				if err != nil {
					return err
				}
				if (got["a"] == nil) != (got["b"] == nil) {
					return fmt.Errorf("%s: only one of two clusters: %v", world, got)
				}
				for cluster, values := range got {
					if !maps.Equal(values, want[""]) {
						return fmt.Errorf("%s %s: got %v, want %v", world, cluster, values, want)
					}
				}
			}
			return nil
		})
	}
	checkFailed(t, estate, one, overview)
	worlds["one"] = one
	for world, p := range worlds {
		for _, q := range all["aliyun-cas-exporter.json"].queries() {
			eventually(t, world+": "+q.where, func() error {
				_, err := run(p, q, interpolate(t, all["aliyun-cas-exporter.json"], q.expr, nil), time.Now())
				if strings.HasSuffix(q.expr, " > 0") { // nothing fails here
					return nil
				}
				return err
			})
		}
	}
}

// hostsOf returns three hosts for each certificate: one serves it, one does not answer,
// and one serves an older certificate.
func hostsOf(estate *simulator.Simulator) (all []host) {
	for _, job := range estate.Jobs() {
		for _, c := range job.Certificates {
			all = append(all, host{"", job.ID, c.ID, c.NotAfter}, host{"", job.ID, c.ID, time.Time{}}, host{"", job.ID, c.ID, c.NotAfter.AddDate(-1, 0, 0)})
		}
	}
	return all
}

// checkFailed compares the number of failed workers with the simulator's.
func checkFailed(t *testing.T, estate *simulator.Simulator, p prometheus, overview *dashboard) {
	t.Helper()
	failed := 0
	for _, job := range estate.Jobs() {
		for _, w := range estate.Workers(job.ID) {
			if w.Status == "error" || w.Status == "rollback_error" {
				failed++
			}
		}
	}
	for _, panel := range overview.Panels {
		if panel.Title != "Failed workers" {
			continue
		}
		got, err := stable(p, interpolate(t, overview, panel.Targets[0].Expr, nil), time.Now())
		repaired, _ := p.query("sum(aliyun_cas_deployment_superseded_workers)", time.Now())
		for _, s := range repaired {
			n, _ := strconv.Atoi(fmt.Sprint(s.Value[1]))
			failed -= n
		}
		if want := map[string]string{"map[job:cas]": fmt.Sprint(failed)}; err != nil || !maps.Equal(got[""], want) {
			t.Errorf("failed workers: got %v (%v), want %v", got, err, want)
		}
		return
	}
	t.Error("no panel counts failed workers")
}

// stable evaluates a query and returns its values by cluster and labels. Where the
// value is the moment of a poll, which differs between exporters, it is blanked.
func stable(p prometheus, expr string, at time.Time) (map[string]map[string]string, error) {
	result, err := p.query(expr, at)
	values := map[string]map[string]string{}
	ofPoll := regexp.MustCompile(`last_success|poll_last`).MatchString(expr)
	for _, s := range result {
		value, cluster := fmt.Sprint(s.Value[1]), s.Metric["cluster"]
		if ofPoll {
			value = "a moment"
		}
		delete(s.Metric, "cluster")
		if values[cluster] == nil {
			values[cluster] = map[string]string{}
		}
		values[cluster][fmt.Sprint(s.Metric)] = value
	}
	if err == nil && len(values) == 0 {
		err = errors.New("no series")
	}
	return values, err
}

// TestManyJobs: with more jobs than a person reads, and each in trouble, no panel
// draws more series than 50 or lists more rows than 200.
func TestManyJobs(t *testing.T) {
	const jobs = 210
	exporter := buildExporter(t)
	estate, began := simulator.New(simulator.Options{}), time.Now().Add(-time.Hour)
	for id := range int64(jobs) {
		at, status := began.Add(time.Duration(id)*time.Second), "success"
		if id == 0 {
			status = "processing"
		}
		worker := simulator.Worker{
			ID: 2*id + 1, Status: "error", CloudProduct: "SLB", RegionID: "cn-hangzhou", InstanceID: fmt.Sprint("lb-", id), Created: at, Modified: at,
		}
		stuck := worker
		stuck.ID, stuck.Status = 2*id+2, "processing"
		estate.PutJob(simulator.Job{
			ID: 8000 + id, Name: "renewal", Status: status, JobType: "user", CertType: "upload", Created: at, Modified: at, Start: at, End: at,
			Certificates: []simulator.Certificate{{ID: id + 1, Name: fmt.Sprint("cert-", id), CommonName: "www.example.com", NotAfter: at.AddDate(0, 3, 0)}},
		}, []simulator.Worker{worker, stuck})
	}
	api := httptest.NewServer(estate)
	defer api.Close()
	p := startPrometheus(t, scrape{job: "cas", targets: []string{startExporter(t, exporter, map[string]string{
		"CAS_ENDPOINT": api.URL, "CAS_REQUESTS_PER_SECOND": "500",
		"ALIBABA_CLOUD_ACCESS_KEY_ID": simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": simulator.DemoAccessKeySecret,
	})}}, probing(startProber(t, hostsOf(estate)...), ""))
	eventually(t, "all jobs are read", func() error {
		read, err := p.query("count(aliyun_cas_deployment_failed_worker_modified_timestamp_seconds)", time.Now())
		if err == nil && (len(read) == 0 || read[0].Value[1] != fmt.Sprint(jobs)) {
			err = fmt.Errorf("read: %v, want %d", read, jobs)
		}
		return err
	})
	d := dashboards(t)["aliyun-cas-overview.json"]
	for _, panel := range d.Panels {
		limit := 50
		if panel.Type == "table" {
			limit = 200
		}
		for _, target := range panel.Targets {
			eventually(t, panel.Title+" "+target.RefID, func() error {
				result, err := p.query(interpolate(t, d, target.Expr, nil), time.Now())
				if err == nil && (len(result) == 0 && !strings.Contains(target.Expr, "last_error") || len(result) > limit) {
					err = fmt.Errorf("%d series, want 1 to %d", len(result), limit)
				}
				return err
			})
		}
	}
}
