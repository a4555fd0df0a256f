package collector_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/simulator"
)

// crowd returns n workers over five pairs of product and region.
func crowd(n int) []simulator.Worker {
	pairs := [][2]string{{"SLB", "cn-hangzhou"}, {"SLB", "cn-beijing"}, {"ALB", "cn-hangzhou"}, {"CDN", ""}, {"OSS", "eu-central-1"}}
	workers := make([]simulator.Worker, n)
	for i := range workers {
		pair := pairs[i%len(pairs)]
		workers[i] = simulator.Worker{
			ID: int64(i + 1), Status: cas.WorkerStatuses()[i%9], CloudProduct: pair[0], RegionID: pair[1],
			Modified: time.Now().Add(-time.Duration(i) * time.Second),
		}
	}
	return workers
}

func TestSweepCostsTheMinimumOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{Latency: 100 * time.Millisecond})
		sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, crowd(1234))
		r := newRig(t, sim, func(s *settings) {
			s.poller.JobIDs, s.RequestsPerSecond = []int64{8888}, 1000
		})
		if !r.Poll(t.Context()) {
			t.Fatalf("poll failed: %s", r.log)
		}
		if got := sim.Calls()["ListWorkerResource"]; got != 25 {
			t.Errorf("%d calls, want 25", got)
		}
		if got := sim.PeakInFlight(); got != 4 {
			t.Errorf("%d requests in flight at most, want 4", got)
		}
		counts := map[string]int{}
		for _, w := range sim.Workers(8888) {
			counts[fmt.Sprintf("cloud_product=%q region_id=%q status=%q", w.CloudProduct, w.RegionID, w.Status)]++
		}
		for labels, want := range counts {
			if got := r.value(t, "deployment_workers", strings.Split(labels, " ")...); got != fmt.Sprint(want) {
				t.Errorf("%s: got %s, want %d", labels, got, want)
			}
		}
		if got, want := len(r.values(t, "deployment_workers")), 5*9; got != want {
			t.Errorf("%d series, want %d", got, want)
		}
		before := sim.Calls()
		for range 100 {
			r.expose(t)
		}
		if after := sim.Calls(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("100 scrapes cost calls: %v, before %v", after, before)
		}
	})
}

// TestDocumentedSampleIsIncomplete serves the only public sample of an answer,
// which says 8 and holds 1.
func TestDocumentedSampleIsIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sample, err := os.ReadFile("../internal/cas/testdata/list-worker-resource.json")
		if err != nil {
			t.Fatal(err)
		}
		sim := simulator.New(simulator.Options{})
		sim.PutJob(simulator.Job{ID: 8888, Status: "editing"}, nil)
		sim.InjectHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(sample)
		}), simulator.Match{Action: "ListWorkerResource"})
		r := newRig(t, sim, func(s *settings) { s.poller.JobIDs = []int64{8888} })
		if r.Poll(t.Context()) {
			t.Error("the poll succeeded")
		}
		if got := r.value(t, "poll_failures_total", `reason="incomplete"`); got != "1" {
			t.Errorf("failures as incomplete: %s, want 1\n%s", got, r.log)
		}
		if got := sim.Calls()["ListWorkerResource"]; got != 3 {
			t.Errorf("%d calls, want three reads of one page", got)
		}
	})
}

// TestWhatPagingCannotSee shows the bound that is documented: a delete behind the
// pages already read and an insert before them, in one read, hide each other. The
// API's own count shows it in the next poll.
func TestWhatPagingCannotSee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		workers := crowd(100)
		sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, workers[1:])
		sim.OnCall(func(call simulator.Call) {
			if call.Action == "ListWorkerResource" && call.Page == 2 {
				sim.DeleteWorker(8888, 100)
				sim.PutWorker(8888, workers[0]) // on page 1, which has been read
			}
		})
		r := newRig(t, sim, func(s *settings) { s.poller.JobIDs = []int64{8888} })
		up := r.Poll(t.Context())
		got := r.value(t, "deployment_job_workers")
		// Total stayed 99. The rows moved by one, so one worker came twice and one is
		// missing: the read is not complete and was repeated.
		if !up || got != "99" || sim.Calls()["ListWorkerResource"] < 4 {
			t.Errorf("up %v, %s workers, calls %v", up, got, sim.Calls())
		}
	})
}

func TestFailedWorkersAreTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		workers := crowd(50)
		for i := range workers {
			workers[i].Status = "error"
		}
		workers[3].Modified = time.Time{}
		sim.PutJob(simulator.Job{ID: 8888, Status: "error"}, workers)
		for limit, want := range map[int]string{0: "50", 10: "40", 100: "1"} {
			r := newRig(t, sim, func(s *settings) {
				s.poller.JobIDs, s.poller.FailedLimit = []int64{8888}, limit
			})
			r.Poll(t.Context())
			if got := r.value(t, "deployment_failed_workers_omitted"); got != want {
				t.Errorf("limit %d: %s omitted, want %s", limit, got, want)
			}
			times := r.values(t, "deployment_failed_worker_modified_timestamp_seconds")
			if limit == 10 {
				oldest := fmt.Sprint(workers[49].Modified.Unix())
				if len(times) != 10 || !slices.Contains(times, oldest) {
					t.Errorf("limit %d: got %v, want ten with %s", limit, times, oldest)
				}
			}
		}
	})
}
