package app_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// textfile runs --once as the timer does: its output becomes the file that the next run
// reads. No series may be in it twice: node_exporter would take nothing of it.
func textfile(t *testing.T, path string) (status int, text, stderr string) {
	t.Helper()
	status, text, stderr = program(t.Context(), "--once", "--once.previous="+path)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		series := line[:strings.LastIndex(line, " ")]
		if seen[series] && !strings.HasPrefix(line, "#") {
			t.Errorf("there is a second %s", series)
		}
		seen[series] = true
	}
	return status, text, stderr
}

// about returns the lines about a job, without the times of polls.
func about(text, job string) (lines []string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, `job_id="`+job+`"`) && !strings.Contains(line, "_up{") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// TestTextfileForgetsNothing takes the API away between runs of --once: what a server
// would have kept stays in the file, as not up, until it is stale.
func TestTextfileForgetsNothing(t *testing.T) {
	past := time.Now().Add(-time.Hour)
	worker := func(id int64, status string) []simulator.Worker {
		return []simulator.Worker{{ID: id, Status: status, CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: past}}
	}
	sim := simulator.New(simulator.Options{})
	sim.PutJob(simulator.Job{ID: 1, Name: "kept", Status: "error", Modified: past}, worker(1, "error"))
	sim.PutJob(simulator.Job{ID: 2, Name: "repaired", Status: "success", Modified: past}, worker(2, "success"))
	api := httptest.NewServer(sim)
	defer api.Close()
	environment(t, api.URL, map[string]string{"CAS_MAX_ATTEMPTS": "1", "CAS_POLL_INTERVAL": "1s", "CAS_MAX_STALENESS": "10m"})
	path := filepath.Join(t.TempDir(), "aliyun_cas_exporter.prom")
	holds := func(text string, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("there is no %s in\n%s", line, text)
			}
		}
	}

	status, first, stderr := textfile(t, path)
	if status != exitOK {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if err := sim.Inject("error-503", simulator.Match{}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // as often as the outage lasts
		ended, text, _ := textfile(t, path)
		if ended != exitFailed {
			t.Errorf("status %d in an outage, want %d", ended, exitFailed)
		}
		if got, want := about(text, "1"), about(first, "1"); !slices.Equal(got, want) {
			t.Errorf("in an outage:\n%s\nwant what was known:\n%s", strings.Join(got, ""), strings.Join(want, ""))
		}
		holds(text, `aliyun_cas_deployment_job_up{job_id="1"} 0`, `aliyun_cas_deployment_job_up{job_id="2"} 0`, `aliyun_cas_deployment_jobs 2`,
			"aliyun_cas_discovery_up 0", "# EOF")
	}

	// One job alone fails, the other is deleted.
	sim.ClearFaults()
	sim.DeleteJob(2)
	if err := sim.Inject("forbidden", simulator.Match{Action: "ListWorkerResource", JobID: 1}); err != nil {
		t.Fatal(err)
	}
	_, text, _ := textfile(t, path)
	holds(text, `aliyun_cas_deployment_job_up{job_id="1"} 0`, `aliyun_cas_deployment_jobs 1`,
		`aliyun_cas_deployment_workers{cloud_product="SLB",job_id="1",region_id="cn-hangzhou",status="error"} 1`)
	if left := about(text, "2"); len(left) > 0 {
		t.Errorf("of a job that is gone:\n%s", strings.Join(left, ""))
	}

	// Data that are stale go, but for what says so.
	stale := strings.NewReplacer()
	for line := range strings.Lines(text) {
		if name, _, _ := strings.Cut(line, " "); strings.HasPrefix(name, "aliyun_cas_deployment_job_last_success_timestamp_seconds{") {
			stale = strings.NewReplacer(line, name+" 1e+09\n")
		}
	}
	if err := os.WriteFile(path, []byte(stale.Replace(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, text, _ = textfile(t, path)
	holds(text, `aliyun_cas_deployment_job_up{job_id="1"} 0`, `aliyun_cas_deployment_job_last_success_timestamp_seconds{job_id="1"} 1e+09`)
	if strings.Contains(text, `aliyun_cas_deployment_workers{`) {
		t.Errorf("stale counts are kept:\n%s", text)
	}

	// Repaired, all is as at first; a file that cannot be read hides nothing.
	sim.ClearFaults()
	if err := os.WriteFile(path, []byte("no exposition"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, text, stderr = textfile(t, path)
	holds(text, `aliyun_cas_deployment_job_up{job_id="1"} 1`)
	if status != exitFailed || !strings.Contains(stderr, "previous output") {
		t.Errorf("status %d with a previous output that cannot be read\n%s", status, stderr)
	}
	if status, _, stderr = textfile(t, path); status != exitOK {
		t.Errorf("status %d after all is repaired\n%s", status, stderr)
	}
}

// TestTextfileShowsTheNewRecord lets the workers of a job fail to be read, but not its
// record: what that says holds, not what it said in the run before.
func TestTextfileShowsTheNewRecord(t *testing.T) {
	past := time.Now().Add(-time.Hour)
	workers := []simulator.Worker{{ID: 1, Status: "error", CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: past}}
	sim := simulator.New(simulator.Options{})
	sim.PutJob(simulator.Job{ID: 1, Status: "error", Modified: past, End: past}, workers)
	api := httptest.NewServer(sim)
	defer api.Close()
	environment(t, api.URL, map[string]string{"CAS_MAX_ATTEMPTS": "1", "CAS_POLL_INTERVAL": "1s", "CAS_MAX_STALENESS": "10m"})
	path := filepath.Join(t.TempDir(), "aliyun_cas_exporter.prom")
	const ended = "\naliyun_cas_deployment_job_end_timestamp_seconds{"
	if status, text, stderr := textfile(t, path); status != exitOK || !strings.Contains(text, ended) {
		t.Fatalf("status %d\n%s%s", status, text, stderr)
	}
	sim.PutJob(simulator.Job{ID: 1, Status: "processing", Modified: time.Now()}, workers)
	if err := sim.Inject("forbidden", simulator.Match{Action: "ListWorkerResource"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, text, _ := textfile(t, path)
		for _, line := range []string{
			`aliyun_cas_deployment_job_up{job_id="1"} 0`, `aliyun_cas_deployment_job_status{job_id="1",status="processing"} 1`,
			`aliyun_cas_deployment_workers{cloud_product="SLB",job_id="1",region_id="cn-hangzhou",status="error"} 1`,
		} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("there is no %s in\n%s", line, text)
			}
		}
		if strings.Contains(text, ended) {
			t.Errorf("a job that runs has an end:\n%s", text)
		}
	}

	// A file that does not tell types is not kept, and hides nothing.
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "# TYPE", "# ")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Inject("error-503", simulator.Match{}); err != nil {
		t.Fatal(err)
	}
	if _, text, _ := textfile(t, path); !strings.Contains(text, "\naliyun_cas_discovery_up 0\n") {
		t.Errorf("what was read is missing:\n%s", text)
	}
}

// TestTextfileKeepsDetails refuses the calls for details of a job that is read: what the
// run before knew of them stays while the job's record is the same.
func TestTextfileKeepsDetails(t *testing.T) {
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	sim := simulator.New(simulator.Options{})
	sim.PutJob(simulator.Job{
		ID: 1, Status: "success", Modified: past, Certificates: []simulator.Certificate{{ID: 7, Name: "wild", CommonName: "*.example.com", NotAfter: past.AddDate(0, 3, 0)}},
	}, []simulator.Worker{{ID: 1, Status: "success", CloudProduct: "SLB", Modified: past}})
	api := httptest.NewServer(sim)
	defer api.Close()
	environment(t, api.URL, map[string]string{"CAS_MAX_ATTEMPTS": "1"})
	path := filepath.Join(t.TempDir(), "aliyun_cas_exporter.prom")
	textfile(t, path)
	for _, action := range []string{"ListDeploymentJobCert", "DescribeDeploymentJobStatus"} {
		if err := sim.Inject("forbidden", simulator.Match{Action: action}); err != nil {
			t.Fatal(err)
		}
	}
	details := []string{"deployment_job_certificate_not_after_timestamp_seconds{", "deployment_job_reported_workers{", "deployment_job_matched_workers{"}
	for range 2 {
		_, text, _ := textfile(t, path)
		for _, family := range details {
			if strings.Count(text, "\naliyun_cas_"+family) != 1 {
				t.Errorf("%s is not kept, or more than once:\n%s", family, text)
			}
		}
	}
	sim.UpdateJob(1, func(j *simulator.Job) { j.Modified = past.Add(time.Minute) })
	_, text, _ := textfile(t, path)
	for _, family := range details {
		if strings.Contains(text, "\naliyun_cas_"+family) {
			t.Errorf("%s is kept although the job changed:\n%s", family, text)
		}
	}
}
