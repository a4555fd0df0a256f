package collector_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/docsync"
	"aliyun_cas_exporter/internal/simulator"
)

var update = flag.Bool("update", false, "write the golden expositions")

// account builds an estate of four jobs: finished, running, waiting, empty.
func account() *simulator.Simulator {
	sim := simulator.New(simulator.Options{Now: time.Now})
	sim.SetQuota(1_234_567, 999_999) // on both sides of where numbers get an exponent
	at := time.Now().Add(-time.Hour)
	cert := []simulator.Certificate{{ID: 77, Name: "wild", CommonName: "*.example.com", NotBefore: at, NotAfter: at.Add(90 * 24 * time.Hour)}}
	sim.PutJob(simulator.Job{
		ID: 8888, Name: "renewal", Status: "success", JobType: "user", CertType: "upload", Created: at.Add(-time.Minute),
		Modified: at, Schedule: at, Start: at, End: at, Rollback: true, Certificates: cert,
	}, []simulator.Worker{
		{ID: 1, Status: "success", CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: at},
		{ID: 2, Status: "error", CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: at, InstanceID: "lb-1", ListenerID: "lsn-1@443", Port: 443, ResourceDomain: "www.example.com", CertName: "wild"},
		{ID: 3, Status: "rollback_error", CloudProduct: "CDN", Modified: at.Add(time.Minute), ResourceDomain: "cdn.example.com"},
		{ID: 4, Status: "error", CloudProduct: "webHosting", CloudRegion: "eu-central-1"},
		{ID: 5, Status: "invented", CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: at},
	})
	sim.PutJob(simulator.Job{ID: 8889, Name: "running", Status: "processing", JobType: "user", Created: at, Modified: at, Start: at},
		[]simulator.Worker{{ID: 9, Status: "processing", CloudProduct: "ALB", RegionID: "cn-beijing", Modified: at}})
	sim.PutJob(simulator.Job{ID: 8890, Name: "waiting", Status: "editing", JobType: "trustee", Created: at, Modified: at}, nil)
	return sim
}

// goldens are the shapes that an exposition takes.
func goldens() map[string]struct {
	settings func(*settings)
	play     func(t *testing.T, r *rig)
} {
	poll := func(t *testing.T, r *rig) {
		t.Helper()
		r.Poll(t.Context())
	}
	discover := func(s *settings) { s.account.Discovery = &schedule.Discovery{} }
	configured := func(s *settings) { s.account.JobIDs = []int64{8888, 8889} }
	return map[string]struct {
		settings func(*settings)
		play     func(t *testing.T, r *rig)
	}{
		"before the first poll": {configured, func(*testing.T, *rig) {}},
		"typical":               {discover, poll},
		"configured only":       {configured, poll},
		"named account": {func(s *settings) {
			s.account.Name, s.account.AccountID, s.account.Discovery = "prod", "1000000000000001", &schedule.Discovery{}
		}, poll},
		"a region of several": {func(s *settings) {
			s.account.Name, s.account.Region, s.account.Discovery = "prod", "ap-southeast-1", &schedule.Discovery{}
		}, poll},
		"filtered": {func(s *settings) {
			s.account.Discovery, s.account.Statuses, s.account.Products = &schedule.Discovery{}, []string{"error", "rollback_error"}, []string{"slb", "CDN"}
		}, poll},
		"empty": {discover, func(t *testing.T, r *rig) {
			t.Helper()
			for _, job := range r.sim.Jobs() {
				r.sim.DeleteJob(job.ID)
			}
			r.Poll(t.Context())
		}},
		"one job failing": {discover, func(t *testing.T, r *rig) {
			t.Helper()
			r.Poll(t.Context())
			_ = r.sim.Inject("forbidden", simulator.Match{Action: "ListWorkerResource", JobID: 8889})
			time.Sleep(time.Minute)
			r.Poll(t.Context())
		}},
		"stale": {configured, func(t *testing.T, r *rig) {
			t.Helper()
			r.Poll(t.Context())
			_ = r.sim.Inject("error-503", simulator.Match{})
			time.Sleep(11 * time.Minute)
			r.Poll(t.Context())
		}},
		"refused": {discover, func(t *testing.T, r *rig) {
			t.Helper()
			r.Poll(t.Context())
			r.sim.SetCredentials("another", "key", "")
			time.Sleep(time.Minute)
			r.Poll(t.Context())
		}},
		"hostile": {discover, func(t *testing.T, r *rig) {
			t.Helper()
			r.sim.UpdateJob(8888, func(j *simulator.Job) { j.Name = "\"quoted\"\n\\ \xff <script>" + strings.Repeat("x", 10_000) })
			_ = r.sim.Inject("hostile-labels", simulator.Match{JobID: 8888})
			_ = r.sim.Inject("invalid-utf8", simulator.Match{JobID: 8889})
			r.Poll(t.Context())
		}},
	}
}

func TestGoldenExpositions(t *testing.T) {
	for name, golden := range goldens() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, account(), golden.settings)
				golden.play(t, r)
				path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_")+".prom")
				got := facts(r.expose(t))
				if *update {
					if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("run the test with -update to accept (-want +got):\n%s", diff)
				}
				findings, err := testutil.GatherAndLint(r.registry)
				if err != nil || len(findings) > 0 {
					t.Errorf("lint: %v, %v", findings, err)
				}
			})
		})
	}
}

// facts drops what counts requests, and what depends on which call was made first or
// last.
func facts(exposition string) string {
	moment := regexp.MustCompile(`(_last_(?:success|sweep)_timestamp_seconds\S*|poll_last_timestamp_seconds|poll_duration_seconds|clock_skew_seconds\S*) [0-9.e+-]+\n`)
	counts := regexp.MustCompile(`aliyun_cas_api_(?:request|rate)|# TYPE aliyun_cas_api_last_error_info|api_last_error_info.*ListWorkerResource`)
	var kept strings.Builder
	for line := range strings.Lines(moment.ReplaceAllString(exposition, "$1 (a moment)\n")) {
		switch {
		case counts.MatchString(line), strings.HasPrefix(line, "# HELP"):
		case strings.HasPrefix(line, "aliyun_cas_poll_") && strings.HasSuffix(line, " 0\n"):
		default:
			kept.WriteString(line)
		}
	}
	if text := kept.String(); strings.Contains(text, "api_last_error_info{") {
		return text
	}
	return strings.Replace(kept.String(), "# TYPE aliyun_cas_api_last_error_info gauge\n", "", 1)
}

// TestDocumentsNameEveryFamily holds docs/metrics.md, with the table at its head,
// against what is exposed: names, types, labels, and none too many.
func TestDocumentsNameEveryFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, account(), func(s *settings) {
			s.account.Name, s.account.AccountID, s.account.Discovery, s.account.MaxHosts = "prod", "1", &schedule.Discovery{}, 100
		})
		collector.RegisterProcess(r.registry, 0, 1, true)
		r.Poll(t.Context())
		_ = r.sim.Inject("throttle-long-hint", simulator.Match{}) // so that there is a last error
		time.Sleep(time.Minute)
		r.Poll(t.Context())
		documented := map[string]string{"aliyun_cas_exporter_build_info": ""}
		reference := readFile(t, "../docs/metrics.md")
		for _, section := range regexp.MustCompile(`(?m)^### (aliyun_cas\S+)\n(?s:(.*?))\n`+"```promql\n").FindAllStringSubmatch(reference, -1) {
			documented[section[1]] = section[2]
		}
		var table strings.Builder
		table.WriteString("| metric | labels | meaning |\n|---|---|---|\n")
		exposed := map[string]bool{}
		families, err := r.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			name := family.GetName()
			text, ok := documented[name]
			if !ok {
				t.Errorf("docs/metrics.md does not name %s", name)
				continue
			}
			delete(documented, name)
			exposed[name] = true
			kind := strings.ToLower(family.GetType().String())
			if !strings.HasPrefix(strings.ToLower(text), kind) {
				t.Errorf("docs/metrics.md: the line below the heading of %s must begin with its type, %s", name, kind)
			}
			var labels []string
			for _, label := range family.GetMetric()[0].GetLabel() {
				exposed[name+" "+label.GetName()] = true
				if l := label.GetName(); l != "account" && l != "job_id" {
					labels = append(labels, "`"+l+"`")
					if !strings.Contains(text, "`"+l+"`") {
						t.Errorf("docs/metrics.md: the section of %s does not name its label %s", name, l)
					}
				}
			}
			fmt.Fprintf(&table, "| `%s` | %s | %s |\n", strings.TrimPrefix(name, "aliyun_cas_"), strings.Join(labels, " "), family.GetHelp())
		}
		delete(documented, "aliyun_cas_exporter_build_info")
		for name := range documented {
			t.Errorf("docs/metrics.md names %s, which is not exposed", name)
		}
		holdShipped(t, exposed)
		docsync.Check(t, *update, "../docs/metrics.md", "metrics", "Prefix `aliyun_cas_`.\n\n"+table.String())
	})
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// holdShipped fails when a name, or a name with a label, that users may depend on is
// gone. With -update those that are new are added to the list; none is taken away.
func holdShipped(t *testing.T, exposed map[string]bool) {
	t.Helper()
	const list = "testdata/shipped.txt"
	shipped := 0
	for name := range strings.Lines(readFile(t, list)) {
		shipped++
		if name = strings.TrimSpace(name); !exposed[name] {
			t.Errorf("%s was shipped and is gone", name)
		}
		exposed[name] = true
	}
	if *update {
		text := strings.Join(slices.Sorted(maps.Keys(exposed)), "\n") + "\n"
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(exposed) > shipped {
		t.Errorf("%s lacks names; run the test with -update", list)
	}
}
