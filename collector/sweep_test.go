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
			s.account.JobIDs, s.RequestsPerSecond = []int64{8888}, 1000
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
		for range 10 {
			if _, err := r.registry.Gather(); err != nil {
				t.Fatal(err)
			}
		}
		if after := sim.Calls(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("10 scrapes cost calls: %v, before %v", after, before)
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
		r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{8888} })
		if r.Poll(t.Context()) {
			t.Error("the poll succeeded")
		}
		if got := r.value(t, "poll_failures_total", `reason="incomplete"`); got != "1" {
			t.Errorf("failures as incomplete: %s, want 1\n%s", got, r.log)
		}
		if got := sim.Calls()["ListWorkerResource"]; got != 6 {
			t.Errorf("%d calls, want three reads that end when page 2 repeats page 1", got)
		}
	})
}

// TestAReadThatCannotBecomeCompleteEnds has one wrong page of twenty: a short one, or a
// first page of one row, as if there were a thousand pages. The pages behind it that are
// not on their way are not asked for.
func TestAReadThatCannotBecomeCompleteEnds(t *testing.T) {
	for _, wrong := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			sim := simulator.New(simulator.Options{Latency: 100 * time.Millisecond})
			sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, crowd(1000))
			if wrong == 1 {
				sim.InjectHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = w.Write([]byte(`{"RequestId":"R","Total":1000,"Data":[{"Id":1,"Status":"pending"}]}`))
				}), simulator.Match{Action: "ListWorkerResource", Page: 1})
			} else if err := sim.Inject("short-page", simulator.Match{Action: "ListWorkerResource", Page: wrong}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) {
				s.account.JobIDs, s.RequestsPerSecond = []int64{8888}, 1000
			})
			if r.Poll(t.Context()) || r.value(t, "poll_failures_total", `reason="incomplete"`) != "1" {
				t.Errorf("page %d is wrong: want one failure as incomplete\n%s", wrong, r.log)
			}
			if got := sim.Calls()["ListWorkerResource"]; got > 3*(1+2*4) {
				t.Errorf("page %d is wrong: %d calls, want three reads of nine at most", wrong, got)
			}
		})
	}
}

// TestWhatPagingCannotSee shows the bound that is documented. A worker that is deleted
// from a page already read, and one that is inserted behind, hide each other: the rows
// move up, and one that was there all the while is on no page that is read. The
// other way round a row comes twice, and the read is repeated.
func TestWhatPagingCannotSee(t *testing.T) {
	for name, test := range map[string]struct {
		deleted, inserted int64
		reads             int
		failed            string // in error, as counted by the first poll
	}{
		"deleted before, inserted behind": {2, 200, 1, "0"},
		"deleted behind, inserted before": {100, 1, 2, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				workers := make([]simulator.Worker, 99)
				for i := range workers {
					workers[i] = simulator.Worker{ID: int64(i + 2), Status: "success", CloudProduct: "CDN"}
				}
				workers[50].Status = "error" // the first of page 2
				sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, workers)
				sim.OnCall(func(call simulator.Call) {
					if call.Action == "ListWorkerResource" && call.Page == 2 {
						sim.DeleteWorker(8888, test.deleted)
						sim.PutWorker(8888, simulator.Worker{ID: test.inserted, Status: "success", CloudProduct: "CDN"})
					}
				})
				r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{8888} })
				for poll, failed := range []string{test.failed, "1"} {
					sim.ResetStats()
					if !r.Poll(t.Context()) || r.value(t, "deployment_job_workers") != "99" || r.value(t, "deployment_job_reported_workers") != "99" {
						t.Errorf("poll %d: %s workers, %s reported; want 99 of both\n%s", poll, r.value(t, "deployment_job_workers"), r.value(t, "deployment_job_reported_workers"), r.log)
					}
					if got := r.value(t, "deployment_workers", `status="error"`); got != failed {
						t.Errorf("poll %d: %s workers in error, want %s", poll, got, failed)
					}
					if want := 2 * []int{test.reads, 1}[poll]; sim.Calls()["ListWorkerResource"] != want {
						t.Errorf("poll %d: %v, want %d pages", poll, sim.Calls(), want)
					}
				}
			})
		})
	}
}

// TestOldestOfAGroup has workers of one group on several pages and in several reads, the
// oldest in each place; those without a readable time do not count.
func TestOldestOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for oldest := range 5 {
			sim := simulator.New(simulator.Options{})
			var workers []simulator.Worker
			for i := range 5 {
				w := simulator.Worker{ID: int64(i + 1), Status: "pending", CloudProduct: "SLB", Modified: now.Add(-time.Duration(10+i) * time.Minute)}
				if i == oldest {
					w.Modified = now.Add(-time.Hour)
				}
				workers = append(workers, w, simulator.Worker{ID: int64(i + 11), Status: "editing", CloudProduct: "SLB"})
			}
			workers = append(workers, simulator.Worker{ID: 21, Status: "pending", CloudProduct: "SLB"})
			sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, workers)
			for _, products := range [][]string{nil, {"CDN", "SLB"}} {
				r := newRig(t, sim, func(s *settings) {
					s.account.JobIDs, s.account.PageSize, s.account.Products = []int64{8888}, 2, products
				})
				r.Poll(t.Context())
				got := r.values(t, "deployment_workers_oldest_modified_timestamp_seconds")
				if want := fmt.Sprint(now.Add(-time.Hour).Unix()); !slices.Equal(got, []string{want}) {
					t.Errorf("worker %d is the oldest: got %v, want %s alone", oldest+1, got, want)
				}
			}
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
				s.account.JobIDs, s.account.MaxNamed = []int64{8888}, limit
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
