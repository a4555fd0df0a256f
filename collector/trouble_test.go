package collector_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/simulator"
)

// deployed is a worker that deployed to a load balancer, some without a ResourceId.
func deployed(id int64, instance, status string) simulator.Worker {
	resource := map[string]int64{"lb-a": 11, "lb-b": 12, "lb-c": -1, "lb-d": -1}[instance]
	return simulator.Worker{
		ID: id, ResourceID: resource, Status: status, CloudProduct: "SLB", RegionID: "cn-hangzhou", InstanceID: instance, Port: 443, Modified: time.Now().Add(-time.Hour),
	}
}

// TestSuperseded has a job that failed at two load balancers, and a later one that succeeded
// at one of them, in every order in which they can be read.
func TestSuperseded(t *testing.T) {
	failed := []simulator.Worker{deployed(1, "lb-a", "error"), deployed(2, "lb-b", "error"), deployed(3, "lb-c", "success")}
	repaired := []simulator.Worker{deployed(4, "lb-a", "success"), deployed(5, "lb-d", "error")}
	put := func(sim *simulator.Simulator, id int64, status string, workers []simulator.Worker) {
		sim.PutJob(simulator.Job{ID: id, Status: status, Modified: time.Now().Add(-time.Hour)}, workers)
	}
	for name, play := range map[string]func(t *testing.T, r *rig){
		"the later job is read last": func(t *testing.T, r *rig) {
			t.Helper()
			put(r.sim, 100, "error", failed)
			r.Poll(t.Context())
			put(r.sim, 200, "success", repaired)
			time.Sleep(time.Minute)
			r.Poll(t.Context())
		},
		"the later job is read first": func(t *testing.T, r *rig) {
			t.Helper()
			put(r.sim, 200, "success", repaired)
			r.Poll(t.Context())
			put(r.sim, 100, "error", failed)
			time.Sleep(time.Minute)
			r.Poll(t.Context())
		},
		"after a restart": func(t *testing.T, r *rig) {
			t.Helper()
			put(r.sim, 100, "error", failed)
			put(r.sim, 200, "success", repaired)
			r.Poll(t.Context())
		},
		"the later job is at rest": func(t *testing.T, r *rig) {
			t.Helper()
			put(r.sim, 100, "processing", failed)
			put(r.sim, 200, "success", repaired)
			for range 20 {
				r.Poll(t.Context())
				time.Sleep(time.Minute)
			}
		},
		"the later job succeeds while it is watched": func(t *testing.T, r *rig) {
			t.Helper()
			put(r.sim, 100, "error", failed)
			put(r.sim, 200, "processing", []simulator.Worker{deployed(4, "lb-a", "processing"), deployed(5, "lb-d", "error")})
			r.Poll(t.Context())
			if got := r.value(t, "deployment_superseded_workers", `job_id="100"`); got != "0" {
				t.Errorf("%s failures are superseded by a job that moves", got)
			}
			put(r.sim, 200, "success", repaired)
			time.Sleep(time.Minute)
			r.Poll(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, simulator.New(simulator.Options{}), discovering)
				play(t, r)
				for job, want := range map[string]string{"100": "1", "200": "0"} {
					if got := r.value(t, "deployment_superseded_workers", fmt.Sprintf("job_id=%q", job)); got != want {
						t.Errorf("%s failures of job %s are superseded, want %s", got, job, want)
					}
				}
				if got := r.value(t, "deployment_workers", `job_id="100"`, `status="error"`); got != "2" {
					t.Errorf("%s workers in error, want 2 as the API says", got)
				}
				r.sim.DeleteJob(200)
				time.Sleep(time.Minute)
				r.Poll(t.Context())
				if got := r.value(t, "deployment_superseded_workers", `job_id="100"`); got != "0" {
					t.Errorf("%s failures are superseded by a job that is gone", got)
				}
			})
		})
	}
}

// TestSupersededAgainstAnOracle changes random jobs and compares every count with what the
// simulator holds.
func TestSupersededAgainstAnOracle(t *testing.T) {
	for range max(1, rounds()/5) {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(bubble{t}, func(rt *rapid.T) {
				sim := simulator.New(simulator.Options{Now: time.Now})
				r := newRig(t, sim, func(s *settings) {
					discovering(s)
					s.RequestsPerSecond = 1000
				})
				for range rapid.IntRange(1, 8).Draw(rt, "ticks") {
					for range rapid.IntRange(1, 4).Draw(rt, "changes") {
						id := rapid.Int64Range(1, 6).Draw(rt, "job")
						if rapid.IntRange(0, 5).Draw(rt, "vanishes") == 0 {
							sim.DeleteJob(id)
							continue
						}
						var workers []simulator.Worker
						for n := range rapid.Int64Range(0, 5).Draw(rt, "workers") {
							instance := rapid.SampledFrom([]string{"lb-a", "lb-b", "lb-c", "lb-d"}).Draw(rt, "instance")
							workers = append(workers, deployed(id*100+n, instance, rapid.SampledFrom([]string{"success", "error", "rollback_error", "processing"}).Draw(rt, "status")))
						}
						// A second apart, so that no change looks like another.
						sim.PutJob(simulator.Job{ID: id, Status: rapid.SampledFrom([]string{"success", "error", "processing"}).Draw(rt, "job status"), Modified: time.Now().Add(-time.Minute)}, workers)
						time.Sleep(time.Second)
					}
					time.Sleep(time.Minute)
					if !r.Poll(rt.Context()) {
						rt.Fatalf("poll failed: %s", r.log)
					}
					if got, want := superseded(rt, r), trulySuperseded(sim); !slices.Equal(got, want) {
						rt.Fatalf("superseded:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
				}
				agree(rt, r.facts)
			})
		})
	}
}

// superseded returns the exported counts, sorted.
func superseded(t tb, r *rig) (all []string) {
	t.Helper()
	for _, s := range r.series(t, "deployment_superseded_workers") {
		all = append(all, fmt.Sprintf("job %s %s: %v", s.labels["job_id"], s.labels["status"], s.value))
	}
	slices.Sort(all)
	return all
}

// trulySuperseded returns what should be exported.
func trulySuperseded(sim *simulator.Simulator) (all []string) {
	for _, job := range sim.Jobs() {
		counts := map[string]int{}
		for _, w := range sim.Workers(job.ID) {
			if w.Status != "error" && w.Status != "rollback_error" {
				continue
			}
			counts[w.Status] += 0
			for _, later := range sim.Jobs() {
				if later.ID > job.ID && slices.ContainsFunc(sim.Workers(later.ID), func(o simulator.Worker) bool {
					return o.Status == "success" && o.InstanceID == w.InstanceID
				}) {
					counts[w.Status]++
					break
				}
			}
		}
		for status, n := range counts {
			all = append(all, fmt.Sprintf("job %d %s: %d", job.ID, status, n))
		}
	}
	slices.Sort(all)
	return all
}

// TestStuckWorkers has workers that move and do not, in jobs of each status.
func TestStuckWorkers(t *testing.T) {
	for status, named := range map[string]bool{
		"editing": false, "pending": false, "scheduling": true, "processing": true, "success": true, "error": true, "invented": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			sim := simulator.New(simulator.Options{})
			worker := func(id int64, status string, age time.Duration) simulator.Worker {
				return simulator.Worker{ID: id, Status: status, CloudProduct: "SLB", Modified: time.Now().Add(-age)}
			}
			workers := []simulator.Worker{
				worker(1, "pending", time.Hour), worker(2, "processing", 16*time.Minute), worker(3, "rollback", 2*time.Hour), worker(4, "scheduling", 20*time.Minute),
				worker(5, "pending", 10*time.Minute), worker(6, "success", time.Hour), worker(7, "editing", time.Hour), worker(8, "error", time.Hour),
			}
			sim.PutJob(simulator.Job{ID: 1, Status: status, Modified: time.Now().Add(-3 * time.Hour)}, workers)
			r := newRig(t, sim, func(s *settings) {
				discovering(s)
				s.account.MaxNamed = 3
			})
			want := []string{"1", "3", "4"}
			r.Poll(t.Context())
			checkStuck(t, r, status, named, want, "1")
			// Worker 5 becomes stuck while its job may be at rest: no resync is waited for.
			for range 6 {
				time.Sleep(time.Minute)
				r.Poll(t.Context())
			}
			checkStuck(t, r, status, named, want, "2")
		})
	}
}

func checkStuck(t *testing.T, r *rig, status string, named bool, want []string, omitted string) {
	t.Helper()
	var ids []string
	for _, s := range r.series(t, "deployment_stuck_worker_modified_timestamp_seconds") {
		ids = append(ids, s.labels["worker_id"])
	}
	if !named {
		want, omitted = nil, "absent"
	}
	slices.Sort(ids)
	if got := r.value(t, "deployment_stuck_workers_omitted"); !slices.Equal(ids, want) || got != omitted {
		t.Errorf("job in %s: workers %v are stuck, %s omitted; want %v, %s", status, ids, got, want, omitted)
	}
}

// TestTroubleIsFoundFirst restarts on 1,000 finished jobs, two of which have failed workers
// that their records do not show: those are read long before all.
func TestTroubleIsFoundFirst(t *testing.T) {
	heavy(t)
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		jobs(sim, 1000, "success") // one worker each, in editing
		for _, id := range []int64{3, 700} {
			sim.UpdateWorker(id, 1, func(w *simulator.Worker) { w.Status = map[int64]string{3: "error", 700: "rollback_error"}[id] })
		}
		r := newRig(t, sim, discovering)
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		start := time.Now()
		go schedule.Accounts{r.Account}.Run(ctx)
		for len(r.values(t, "deployment_failed_worker_modified_timestamp_seconds")) < 2 {
			time.Sleep(5 * time.Second)
		}
		found := time.Since(start)
		for len(r.values(t, "deployment_job_workers")) < 1000 {
			time.Sleep(10 * time.Second)
		}
		t.Logf("both failed jobs are read after %v, all after %v", found, time.Since(start))
		if found > 5*time.Minute || time.Since(start) > 16*time.Minute {
			t.Errorf("both failed jobs are read after %v, all after %v", found, time.Since(start))
		}
	})
}

// TestHostileTexts has a job whose workers have the longest texts that are taken in as many
// places as are taken, and one in more places: both fail as limit, and alone.
func TestHostileTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		crowded := func(id int64, places int, text string) {
			var workers []simulator.Worker
			for i := range places {
				workers = append(workers, simulator.Worker{ID: int64(i + 1), Status: "success", CloudProduct: "SLB", RegionID: fmt.Sprintf("%s-%d", text, i)})
			}
			sim.PutJob(simulator.Job{ID: id, Status: "processing"}, workers)
		}
		crowded(1, 1900, "cn-hangzhou")
		crowded(2, 2001, "cn-hangzhou")
		crowded(3, 400, strings.Repeat("x", 4000)) // cut after a KiB, and all alike but for that
		var workers []simulator.Worker
		for i := range 1400 {
			workers = append(workers, simulator.Worker{
				ID: int64(i + 1), Status: "success", RegionID: fmt.Sprintf("%d-%s", i, strings.Repeat("x", 1000)), CloudProduct: fmt.Sprintf("%d-%s", i, strings.Repeat("y", 1000)),
				CloudRegion: "z",
			})
		}
		for i := range workers {
			workers[i].Status = fmt.Sprintf("%d-%s", i, strings.Repeat("z", 1000))
		}
		sim.PutJob(simulator.Job{ID: 4, Status: "processing"}, workers)
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.RequestsPerSecond = 1000
		})
		r.Poll(t.Context())
		for job, up := range map[string]string{"1": "1", "2": "0", "3": "1", "4": "0"} {
			if got := r.value(t, "deployment_job_up", fmt.Sprintf("job_id=%q", job)); got != up {
				t.Errorf("job %s: up is %s, want %s", job, got, up)
			}
		}
		if got := r.value(t, "poll_failures_total", `reason="limit"`); got != "2" {
			t.Errorf("%s failures as limit, want 2\n%s", got, r.log)
		}
	})
}

// TestHostileListing has more jobs, or longer texts, than are taken: the listing fails and
// nothing is watched.
func TestHostileListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		jobs(sim, 60, "success")
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.account.MaxJobs = 59
		})
		if r.Poll(t.Context()) || r.value(t, "deployment_jobs") != "0" || r.value(t, "poll_failures_total", `reason="limit"`) != "1" {
			t.Errorf("a listing of more than the limit is taken\n%s", r.log)
		}
	})
}
