package collector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/internal/simulator"
)

// troubles returns the troubles of all jobs, a line each: the job, the alert without its prefix, the text and the age.
func (r *rig) troubles() (lines []string) {
	for _, account := range r.facts.States() {
		for _, job := range account.Jobs {
			for _, t := range job.Troubles {
				age := "?"
				if !t.Since.IsZero() {
					age = time.Since(t.Since).Round(time.Minute).String()
				}
				lines = append(lines, fmt.Sprintf("%d %s: %s (%s)", job.ID, strings.TrimPrefix(t.Alert, "AliyunCas"), t.Text, age))
			}
		}
	}
	return lines
}

// TestTroublesOfJobs has jobs in every kind of trouble, beside those that are not.
func TestTroublesOfJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		ago := func(d time.Duration) time.Time { return now.Add(-d) }
		certificate := func(id int64, name string, left time.Duration) []simulator.Certificate {
			return []simulator.Certificate{{ID: id, Name: "cert-" + name, CommonName: name, NotAfter: now.Add(left)}}
		}
		const day = 24 * time.Hour
		worker := func(id, resource int64, status string, age time.Duration) simulator.Worker {
			return simulator.Worker{ID: id, ResourceID: resource, Status: status, CloudProduct: "ALB", RegionID: "cn-hangzhou", InstanceID: fmt.Sprint("lb-", resource), Modified: ago(age)}
		}
		sim := simulator.New(simulator.Options{Now: time.Now})
		for _, j := range []struct {
			job     simulator.Job
			workers []simulator.Worker
		}{
			{simulator.Job{ID: 1, Status: "error", Modified: ago(26 * time.Hour)}, []simulator.Worker{
				worker(1, 1, "error", 26*time.Hour), worker(2, 2, "error", 25*time.Hour), worker(3, 3, "rollback_error", 24*time.Hour),
			}},
			{simulator.Job{ID: 2, Status: "success", Modified: ago(3 * time.Hour)}, []simulator.Worker{worker(1, 1, "success", time.Hour)}}, // supersedes one
			{simulator.Job{ID: 3, Status: "error", Modified: ago(2 * time.Hour)}, []simulator.Worker{worker(1, 4, "error", time.Hour)}},     // all superseded
			{simulator.Job{ID: 4, Status: "success", Modified: ago(time.Hour)}, []simulator.Worker{worker(1, 4, "success", time.Hour)}},
			{simulator.Job{ID: 5, Status: "processing", Modified: ago(27 * time.Hour)}, []simulator.Worker{worker(1, 5, "processing", 26*time.Hour)}},
			{simulator.Job{ID: 6, Status: "editing", Modified: ago(72 * time.Hour)}, []simulator.Worker{worker(1, 60, "editing", time.Hour)}},
			{simulator.Job{ID: 7, Status: "editing", Modified: ago(30 * time.Minute)}, []simulator.Worker{worker(1, 70, "editing", time.Hour)}},
			{simulator.Job{ID: 8, Status: "pending", Modified: ago(72 * time.Hour), Schedule: ago(time.Hour)}, []simulator.Worker{worker(1, 80, "pending", time.Hour)}},
			{simulator.Job{ID: 9, Status: "pending", Modified: ago(72 * time.Hour), Schedule: now.Add(time.Hour)}, []simulator.Worker{worker(1, 90, "pending", time.Hour)}},
			{simulator.Job{ID: 10, Status: "error", Modified: ago(time.Hour), End: ago(2 * time.Hour)}, []simulator.Worker{worker(1, 100, "rollback_success", time.Hour)}},
			{simulator.Job{ID: 11, Status: "success", Modified: ago(time.Hour), Certificates: certificate(91, "old.example.com", -day)}, []simulator.Worker{worker(1, 11, "success", time.Hour)}},
			{simulator.Job{ID: 12, Status: "success", Modified: ago(time.Hour), Certificates: certificate(92, "soon.example.com", 10*day)}, []simulator.Worker{worker(1, 12, "success", time.Hour)}},
			{simulator.Job{ID: 13, Status: "success", Modified: ago(time.Hour), Certificates: certificate(93, "fine.example.com", 20*day)}, []simulator.Worker{worker(1, 13, "success", time.Hour)}},
			{simulator.Job{ID: 14, Status: "success", Modified: ago(time.Hour), Certificates: certificate(94, "renewed.example.com", day)}, []simulator.Worker{worker(1, 14, "success", time.Hour)}},
			{simulator.Job{ID: 15, Status: "success", Modified: ago(time.Hour), Certificates: certificate(95, "renewed.example.com", 90*day)}, []simulator.Worker{worker(1, 15, "success", time.Hour)}},
			// Its certificate is about to expire, which is worse than that it failed.
			{simulator.Job{ID: 16, Status: "error", Modified: ago(time.Hour), Certificates: certificate(96, "late.example.com", 2*day)}, []simulator.Worker{worker(1, 16, "error", time.Hour)}},
			{simulator.Job{ID: 17, Status: "halted", Modified: ago(time.Hour)}, []simulator.Worker{worker(1, 17, "success", time.Hour)}},
			{simulator.Job{ID: 18, Status: "processing", Modified: ago(3 * time.Hour)}, []simulator.Worker{worker(1, 18, "success", 3*time.Hour), worker(2, 19, "pending", 3*time.Hour)}},
		} {
			sim.PutJob(j.job, j.workers)
		}
		r := newRig(t, sim, func(s *settings) { discovering(s); s.account.Discovery.MaxAge = 0 })
		r.Poll(t.Context())
		want := []string{
			"1 DeploymentRollbackFailed: 1 resource could not be rolled back (24h0m0s)",
			"1 DeploymentWorkersFailed: 1 resource failed (26h0m0s)",
			"5 DeploymentWorkersStuck: a worker does not move (26h0m0s)",
			"6 DeploymentJobNeverStarted: never released (72h0m0s)",
			"8 DeploymentJobOverdue: due, but CAS does not start it (1h0m0s)",
			"10 DeploymentJobFailed: ended in error, but none of its workers failed (2h0m0s)",
			"11 CertificateExpires: certificate old.example.com has expired (24h0m0s)",
			"12 CertificateExpires: certificate soon.example.com expires (-240h0m0s)",
			"16 CertificateExpires: certificate late.example.com expires (-48h0m0s)",
			"17 UndocumentedStatus: CAS does not document the status halted (?)",
		}
		if diff := cmp.Diff(want, r.troubles()); diff != "" {
			t.Errorf("troubles (-want +got):\n%s", diff)
		}
		for range 14 {
			time.Sleep(5 * time.Minute)
			r.Poll(t.Context())
		}
		stalled := "18 DeploymentJobStalled: in processing, but no worker ends (1h1"
		if got := strings.Join(r.troubles(), "\n"); !strings.Contains(got, stalled) {
			t.Errorf("no %q in\n%s", stalled, got)
		}
		sim.UpdateWorker(18, 2, func(w *simulator.Worker) { w.Status = "success" })
		time.Sleep(time.Minute)
		r.Poll(t.Context())
		if got := strings.Join(r.troubles(), "\n"); strings.Contains(got, "JobStalled") {
			t.Errorf("a job that moves on is stalled:\n%s", got)
		}
		_ = sim.Inject("reset", simulator.Match{})
		time.Sleep(time.Minute)
		r.Poll(t.Context())
		if s := r.facts.States()[0]; s.API.Up || time.Since(s.API.Since) > time.Minute || len(s.API.Errors) == 0 || s.API.Errors[0].Reason != "network" {
			t.Errorf("after a failed tick the API's state is %+v", s.API)
		}
		time.Sleep(4 * time.Minute)
		stale := 0
		for _, line := range r.troubles() {
			if strings.HasSuffix(line, "DataStale: not confirmed (5m0s)") {
				stale++
			}
		}
		if stale != 18 {
			t.Errorf("%d jobs of 18 are stale:\n%s", stale, strings.Join(r.troubles(), "\n"))
		}
	})
}

// TestDetailOfJob: what a page shows of a job is what was served, and nothing once it is stale.
func TestDetailOfJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{Now: time.Now})
		sim.PutJob(simulator.Job{
			ID: 8888, Name: "renew-www", Status: "processing", Modified: time.Now(),
			Certificates: []simulator.Certificate{{ID: 9, Name: "www", CommonName: "www.example.com", NotAfter: time.Now().Add(time.Hour)}},
		}, crowd(150))
		r := newRig(t, sim, func(s *settings) { discovering(s); s.account.MaxNamed = 3 })
		r.Poll(t.Context())
		d, watched := r.facts.Detail("", "", 8888)
		failed := 0
		for _, g := range d.Groups {
			if g.Status == "error" || g.Status == "rollback_error" {
				failed += g.Workers
			}
		}
		if !watched || d.Record.Name != "renew-www" || len(d.Failed) != 3 || d.FailedOmitted != failed-3 || len(d.Certificates) != 1 || d.Reported != 150 {
			t.Errorf("%v, %+v", watched, d)
		}
		for _, other := range []struct {
			account, region string
			id              int64
		}{{"other", "", 8888}, {"", "cn-hangzhou", 8888}, {"", "", 8889}} {
			if none, is := r.facts.Detail(other.account, other.region, other.id); is || none.Reported != -1 || none.Matched != -1 {
				t.Errorf("%v is watched: %+v", other, none)
			}
		}
		time.Sleep(11 * time.Minute)
		d, watched = r.facts.Detail("", "", 8888)
		if !watched || d.Record.ID != 0 || len(d.Failed)+len(d.Groups)+len(d.Certificates) > 0 || d.Reported != -1 || !d.Swept.IsZero() {
			t.Errorf("stale: %v, %+v", watched, d)
		}
	})
}
