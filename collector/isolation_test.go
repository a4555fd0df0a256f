package collector_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/simulator"
)

// jobs puts n jobs of one worker each into a simulator and returns their ids.
func jobs(sim *simulator.Simulator, n int, status string) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i + 1)
		sim.PutJob(simulator.Job{ID: ids[i], Name: "n", Status: status, Modified: time.Now().Add(-time.Hour)}, crowd(1))
	}
	return ids
}

func total(calls map[string]int) (sum int) {
	for _, n := range calls {
		sum += n
	}
	return sum
}

// TestIsolation lets one thing go wrong and looks at everything else.
func TestIsolation(t *testing.T) {
	for name, play := range map[string]func(t *testing.T, sim *simulator.Simulator){
		"the details of one job ask for a long wait": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			ids := jobs(sim, 2, "processing")
			sim.InjectHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "600")
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = w.Write([]byte(`{"Code":"ServiceUnavailable"}`))
			}), simulator.Match{Action: "DescribeDeploymentJobStatus", JobID: 1})
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = ids })
			start := time.Now()
			if !r.Poll(t.Context()) || time.Since(start) > time.Minute || len(r.values(t, "deployment_job_workers")) != 2 {
				t.Errorf("the poll took %v, %d jobs are read", time.Since(start), len(r.values(t, "deployment_job_workers")))
			}
		},
		"the listing takes longer than an interval": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			jobs(sim, 90, "processing")
			r := newRig(t, sim, func(s *settings) {
				discovering(s)
				s.RequestsPerSecond, s.account.PageSize = 1, 1
			})
			for range 3 {
				r.Poll(t.Context())
			}
			if got := sim.Calls()["ListWorkerResource"]; got < 20 {
				t.Errorf("%d jobs were polled in three ticks, want at least 20", got)
			}
		},
		"one job may not be described": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			ids := jobs(sim, 30, "success")
			if err := sim.Inject("forbidden", simulator.Match{Action: "DescribeDeploymentJob", JobID: 30}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = ids })
			r.Poll(t.Context())
			if got := len(r.values(t, "deployment_job_info")); got != 29 {
				t.Errorf("%d jobs have their info, want the 29 others", got)
			}
		},
		"no job may be described": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			ids := jobs(sim, 30, "success")
			if err := sim.Inject("forbidden", simulator.Match{Action: "DescribeDeploymentJob"}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = ids })
			if !r.Poll(t.Context()) || sim.Calls()["DescribeDeploymentJob"] > 6 {
				t.Errorf("%v calls, want a few and not one a job", sim.Calls())
			}
		},
		"the last attempt of a call is told to wait": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			ids := jobs(sim, 50, "success")
			if err := sim.Inject("throttle-long-hint", simulator.Match{}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs, s.MaxAttempts = ids, 1 })
			r.Poll(t.Context())
			if got := total(sim.Calls()); got > 10 {
				t.Errorf("%d calls although the API asked for a pause", got)
			}
		},
		"a page is larger than ShowSize says": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			sim.PutJob(simulator.Job{ID: 1, Status: "processing"}, crowd(500))
			if err := sim.Inject("show-size-1", simulator.Match{Action: "ListWorkerResource"}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{1} })
			if !r.Poll(t.Context()) || sim.Calls()["ListWorkerResource"] != 10 {
				t.Errorf("%v calls, want 10 pages\n%s", sim.Calls(), r.log)
			}
		},
		"pages are clamped and nothing says so": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			sim.PutJob(simulator.Job{ID: 1, Status: "processing"}, crowd(60))
			if err := sim.Inject("clamp-unsaid", simulator.Match{Action: "ListWorkerResource"}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{1} })
			if !r.Poll(t.Context()) || sim.Calls()["ListWorkerResource"] != 3 {
				t.Errorf("%v calls, want 3 pages\n%s", sim.Calls(), r.log)
			}
		},
		"page 1 is served whatever is asked for": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			sim.PutJob(simulator.Job{ID: 1, Status: "processing"}, crowd(5000))
			if err := sim.Inject("duplicate-page", simulator.Match{Action: "ListWorkerResource"}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{1} })
			if up := r.Poll(t.Context()); up || sim.Calls()["ListWorkerResource"] > 15 {
				t.Errorf("%v calls, want three reads that end with page 2", sim.Calls())
			}
		},
		"a finished job is deleted": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			ids := jobs(sim, 2, "success")
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = ids })
			r.Poll(t.Context())
			time.Sleep(time.Minute)
			sim.DeleteJob(1)
			r.Poll(t.Context())
			if got := r.values(t, "deployment_job_up"); !slices.Equal(got, []string{"0", "1"}) {
				t.Errorf("up is %v, want 0 for the one that is gone", got)
			}
		},
		"nobody knows an empty job": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			for action, fault := range map[string]string{"ListWorkerResource": "job-not-found-empty", "DescribeDeploymentJob": "not-found"} {
				if err := sim.Inject(fault, simulator.Match{Action: action}); err != nil {
					t.Fatal(err)
				}
			}
			jobs(sim, 1, "success")
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{1} })
			if r.Poll(t.Context()) || r.value(t, "deployment_job_workers") != "absent" {
				t.Error("an empty list of a job without a record is taken for its workers")
			}
		},
		"an empty job may not be described": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			sim.PutJob(simulator.Job{ID: 1, Status: "editing"}, nil)
			if err := sim.Inject("forbidden", simulator.Match{Action: "DescribeDeploymentJob"}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{1} })
			if !r.Poll(t.Context()) || r.value(t, "deployment_job_workers") != "0" || r.value(t, "deployment_job_up") != "1" {
				t.Errorf("up is %s with %s workers, want 1 with 0", r.value(t, "deployment_job_up"), r.value(t, "deployment_job_workers"))
			}
		},
		"one job alone is refused as if the key were wrong": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			jobs(sim, 30, "processing")
			if err := sim.Inject("wrong-key", simulator.Match{Action: "ListWorkerResource", JobID: 15}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, discovering)
			r.Poll(t.Context())
			if got := len(r.values(t, "deployment_job_workers")); got != 29 {
				t.Errorf("%d jobs are read, want the 29 others\n%s", got, r.log)
			}
		},
		"an action of details is refused as if the key were wrong": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			jobs(sim, 30, "processing")
			if err := sim.Inject("wrong-key", simulator.Match{Action: "DescribeDeploymentJobStatus"}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, discovering)
			if !r.Poll(t.Context()) || sim.Calls()["DescribeDeploymentJobStatus"] > 6 {
				t.Errorf("%v calls\n%s", sim.Calls(), r.log)
			}
		},
		"the key is revoked in the middle of a round": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			jobs(sim, 30, "processing")
			if err := sim.Inject("wrong-key", simulator.Match{Action: "ListWorkerResource"}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, discovering)
			if r.Poll(t.Context()) || sim.Calls()["ListWorkerResource"] > 8 || r.value(t, "poll_failures_total", `reason="auth"`) != "30" {
				t.Errorf("%v calls\n%s", sim.Calls(), r.log)
			}
		},
		"the key was revoked": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			ids := jobs(sim, 30, "processing")
			if err := sim.Inject("wrong-key", simulator.Match{}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = ids })
			if r.Poll(t.Context()) || total(sim.Calls()) != 1 || r.value(t, "poll_failures_total", `reason="auth"`) != "30" {
				t.Errorf("%v calls\n%s", sim.Calls(), r.log)
			}
		},
		"the listing ignores its filters": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			jobs(sim, 3, "success")
			if err := sim.Inject("filter-ignored", simulator.Match{Action: "ListDeploymentJob"}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.Discovery = &schedule.Discovery{Statuses: []string{"processing"}} })
			if r.Poll(t.Context()) || r.value(t, "deployment_jobs") != "0" {
				t.Errorf("%s jobs are watched that nobody asked for", r.value(t, "deployment_jobs"))
			}
		},
		"the workers ignore their filters": func(t *testing.T, sim *simulator.Simulator) {
			t.Helper()
			sim.PutJob(simulator.Job{ID: 1, Status: "processing"}, crowd(20))
			if err := sim.Inject("filter-ignored", simulator.Match{Action: "ListWorkerResource"}); err != nil {
				t.Fatal(err)
			}
			for _, filter := range []func(*settings){
				func(s *settings) { s.account.Statuses = []string{"error"} }, func(s *settings) { s.account.Products = []string{"SLB"} },
			} {
				r := newRig(t, sim, func(s *settings) {
					s.account.JobIDs = []int64{1}
					filter(s)
				})
				if r.Poll(t.Context()) || r.value(t, "poll_failures_total", `reason="decode"`) != "1" {
					t.Errorf("workers are counted that nobody asked for\n%s", r.log)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { play(t, simulator.New(simulator.Options{})) })
		})
	}
}

// TestARefusedKeyCostsOneCallATick refuses the key of an account of 30 jobs of two pages,
// in every way in which jobs are watched: all of them fail, by one call. The tick
// at which a good key turns bad costs what was under way, and three jobs to be sure.
func TestARefusedKeyCostsOneCallATick(t *testing.T) {
	for name, watch := range map[string]func(*settings){
		"discovered": discovering,
		"configured": func(s *settings) {
			for id := range int64(30) {
				s.account.JobIDs = append(s.account.JobIDs, id+1)
			}
		},
	} {
		for _, fault := range []string{"wrong-key", "expired-token", "clock-skew"} {
			t.Run(name+", "+fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sim := simulator.New(simulator.Options{Latency: 100 * time.Millisecond})
					for id := range int64(30) {
						sim.PutJob(simulator.Job{ID: id + 1, Status: "processing"}, crowd(31))
					}
					r := newRig(t, sim, func(s *settings) {
						watch(s)
						s.RequestsPerSecond, s.account.PageSize = 1000, 30
					})
					for tick, most := range []int{1, 0, 16, 1, 1} { // the second one is good
						sim.ClearFaults()
						sim.ResetStats()
						if most > 0 {
							if err := sim.Inject(fault, simulator.Match{}); err != nil {
								t.Fatal(err)
							}
						}
						ok, calls := r.Poll(t.Context()), total(sim.Calls())
						if ok != (most == 0) || most > 0 && calls > most {
							t.Errorf("tick %d: success is %v, %d calls, want at most %d\n%s", tick, ok, calls, most, r.log)
						}
						time.Sleep(time.Minute)
					}
					if up := r.values(t, "deployment_job_up"); len(up) != 30 || slices.Contains(up, "1") {
						t.Errorf("up is %v, want 0 for all 30", up)
					}
				})
			})
		}
	}
}

// TestOnceShowsAllThatItRead takes longer for one poll than data may be old.
func TestOnceShowsAllThatItRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		jobs(sim, 60, "success")
		f := newFleet(t, 1, func(int) *simulator.Simulator { return sim }, func(_ int, s *settings) {
			s.RequestsPerSecond, s.account.MaxStaleness = 1, 2*time.Minute
		})
		start := time.Now()
		f.facts.AsOf(start)
		if !f.Poll(t.Context()) || time.Since(start) < f.options.MaxStaleness {
			t.Fatalf("the poll took %v", time.Since(start))
		}
		for _, name := range []string{"deployment_job_workers", "deployment_job_info"} {
			if got := len(f.values(t, name)); got != 60 {
				t.Errorf("%s: %d jobs, want 60", name, got)
			}
		}
	})
}

// TestOnceReadsConfiguredJobsWithoutAListing: that the listing fails as if the API were down
// says nothing of jobs that are known.
func TestOnceReadsConfiguredJobsWithoutAListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		ids := jobs(sim, 30, "processing")
		if err := sim.Inject("error-503", simulator.Match{Action: "ListDeploymentJob"}); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.account.JobIDs, s.account.Once = ids, true
		})
		if r.Poll(t.Context()) || r.value(t, "discovery_up") != "0" || len(r.values(t, "deployment_job_workers")) != 30 {
			t.Errorf("discovery is %s, %d jobs were read; want 0, and all 30\n%s", r.value(t, "discovery_up"), len(r.values(t, "deployment_job_workers")), r.log)
		}
	})
}

// TestCrossingTheBudgetIsSaid lets an account grow a little, beyond what the rate
// allows.
func TestCrossingTheBudgetIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.RequestsPerSecond = 0.5
		})
		for _, n := range []int{27, 32} {
			jobs(sim, n, "processing")
			r.Poll(t.Context())
			time.Sleep(time.Minute)
		}
		if want := fmt.Sprintf("level=WARN msg=%q jobs=32", "the watched jobs cannot be read within the poll interval at the configured rate"); !strings.Contains(r.log.String(), want) {
			t.Errorf("no warning:\n%s", r.log)
		}
	})
}
