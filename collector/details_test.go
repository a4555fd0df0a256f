package collector_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// TestCountsAreReadAgainWhenASweepCountsOtherwise adds a worker to a job whose record does
// not change: the API's own count, which the record would have confirmed, follows the
// sweep at once. While both agree, it is not read at every poll.
func TestCountsAreReadAgainWhenASweepCountsOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		sim.PutJob(simulator.Job{ID: 8888, Status: "processing", Modified: time.Now().Add(-time.Hour)}, crowd(3))
		r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{8888} })
		for poll, want := range []struct {
			workers string
			reads   int // of the API's own count, so far
		}{{"3", 1}, {"3", 1}, {"4", 2}, {"4", 2}} {
			if poll == 2 {
				sim.PutWorker(8888, simulator.Worker{ID: 4, Status: "pending", CloudProduct: "SLB"})
			}
			r.Poll(t.Context())
			swept, reported := r.value(t, "deployment_job_workers"), r.value(t, "deployment_job_reported_workers")
			if reads := sim.Calls()["DescribeDeploymentJobStatus"]; swept != want.workers || reported != want.workers || reads != want.reads {
				t.Errorf("poll %d: %s workers, %s reported after %d reads; want %s of both after %d", poll, swept, reported, reads, want.workers, want.reads)
			}
			time.Sleep(time.Minute)
		}
	})
}

// TestAChangeInTheSecondOfTheLastOneIsSeen changes a worker after its job was read, in the
// same second as the change before: the record, whose times are as coarse as that,
// stays the same. A job that was read soon after its last change is read once more.
func TestAChangeInTheSecondOfTheLastOneIsSeen(t *testing.T) {
	for age, again := range map[time.Duration]bool{0: true, time.Second: true, 1900 * time.Millisecond: true, 2 * time.Second: false} {
		t.Run(fmt.Sprint(age), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				sim.PutJob(simulator.Job{ID: 8888, Status: "success", Modified: time.Now().Add(-age)}, crowd(1))
				r := newRig(t, sim, func(s *settings) {
					discovering(s)
					s.RequestsPerSecond = 1000
				})
				r.Poll(t.Context())
				sim.UpdateWorker(8888, 1, func(w *simulator.Worker) { w.Status = "rollback" })
				want := map[bool][]string{true: {"1"}, false: {"0"}}[again]
				for range 2 {
					time.Sleep(time.Minute)
					r.Poll(t.Context())
					if got := r.values(t, "deployment_workers", `status="rollback"`); !slices.Equal(got, want) {
						t.Errorf("workers in rollback: %v, want %v", got, want)
					}
				}
				if sweeps := sim.Calls()["ListWorkerResource"]; sweeps != map[bool]int{true: 2, false: 1}[again] {
					t.Errorf("the job at rest was read %d times; read once more: %v", sweeps, again)
				}
			})
		})
	}
}

// TestACountThatTheAPIDoesNotGiveIsAbsent answers without WorkerCount and MatchWorkerCount:
// that is not 0 workers.
func TestACountThatTheAPIDoesNotGiveIsAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, crowd(3))
		sim.InjectHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"RequestId":"1","BuyCount":100}`))
		}), simulator.Match{Action: "DescribeDeploymentJobStatus"})
		r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{8888} })
		r.Poll(t.Context())
		for name, want := range map[string]string{
			"deployment_job_workers": "3", "deployment_quota_bought": "100",
			"deployment_job_reported_workers": "absent", "deployment_job_matched_workers": "absent", "deployment_quota_used": "absent",
		} {
			if got := r.value(t, name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	})
}
