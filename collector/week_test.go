package collector_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/simulator"
)

// TestAWeek runs the exporter for seven days of fake time, while faults come and go,
// the API's clock jumps, jobs appear and vanish, and their workers move on: no job
// is polled twice at a time, nothing piles up, and when all is well
// again, all is exported as it is.
//
// Fake time cannot step the exporter's own clock; Go's timers and the intervals that
// the exporter measures do not follow such a step.
func TestAWeek(t *testing.T) {
	heavy(t)
	const interval = 5 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		var skew atomic.Int64
		sim := simulator.New(simulator.Options{
			Latency: 10 * time.Millisecond, Now: func() time.Time { return time.Now().Add(time.Duration(skew.Load())) },
		})
		calls := &polls{RoundTripper: sim.Transport()}
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.Transport, s.account.Logger = calls, slog.New(slog.DiscardHandler)
			s.account.PollInterval, s.account.MaxStaleness, s.account.PageSize = interval, 10*interval, 10
		})
		world := &weather{sim: sim, skew: &skew, rnd: rand.New(rand.NewPCG(1, 7))}
		for range 5 {
			world.appear()
		}
		goroutines, heap := runtime.NumGoroutine()+2, uint64(0) // with Run and the account's own
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			schedule.Accounts{r.Account}.Run(ctx)
			close(ended)
		}()
		start := time.Now()
		for day := 1; day <= 7; day++ {
			for time.Since(start) < time.Duration(day)*24*time.Hour {
				time.Sleep(2 * interval)
				world.change(t)
			}
			world.clear()
			time.Sleep(20*interval + interval/2) // until between two ticks
			synctest.Wait()
			world.compare(t, r)
			synctest.Wait() // for the end of what gathered
			if got := runtime.NumGoroutine(); got > goroutines {
				t.Errorf("day %d: %d goroutines, want at most %d", day, got, goroutines)
			}
			switch got := live(); {
			case day == 1:
				heap = got
			case got > heap+1<<20:
				t.Errorf("day %d: %d KiB are in use, %d after the first day", day, got>>10, heap>>10)
			}
		}
		cancel()
		<-ended
		intervals := int(time.Since(start) / interval)
		if listings := sim.Calls()["ListDeploymentJob"]; listings < intervals/2 || calls.overlaps.Load() != 0 {
			t.Errorf("%d listings in %d intervals, %d polls of a job that was being polled", listings, intervals, calls.overlaps.Load())
		}
		t.Logf("%d intervals, %d changes, calls %v", intervals, world.changes, sim.Calls())
	})
}

// TestTicksAreSkippedUnderOverload has more jobs that move than an interval has time for:
// each is read in proportion, none twice at a time, and the ticks at which some of the
// round before still waited are counted.
func TestTicksAreSkippedUnderOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{Latency: 6 * time.Second})
		jobs(sim, 100, "processing")
		polls := &polls{RoundTripper: sim.Transport()}
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.Transport, s.account.MaxStaleness = polls, time.Hour
		})
		want := brief(struct{ minutes, least, most int }{12, 5, 9}, struct{ minutes, least, most int }{30, 14, 22})
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(want.minutes)*time.Minute-10*time.Second)
		defer cancel()
		schedule.Accounts{r.Account}.Run(ctx)
		// 100 pages take 151 s by 4 requests of 6 s: two of three ticks find jobs waiting.
		skipped, _ := strconv.Atoi(r.value(t, "poll_skipped_total"))
		if listings := sim.Calls()["ListDeploymentJob"]; polls.overlaps.Load() != 0 || listings < 2*(want.minutes-1) || skipped < want.least || skipped > want.most {
			t.Errorf("%d pages of listings in %d minutes, %d polls of a job that was being polled; %d ticks were skipped",
				listings, want.minutes, polls.overlaps.Load(), skipped)
		}
	})
}

// live returns the bytes of the heap that are in use.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// polls counts sweeps of a job that begin while another call about it is under way: a
// poll makes one kind of call after the other.
type polls struct {
	http.RoundTripper
	mu       sync.Mutex
	underWay map[string]int // calls, by job
	overlaps atomic.Int32
}

func (p *polls) RoundTrip(req *http.Request) (*http.Response, error) {
	query := req.URL.Query()
	job := query.Get("JobId")
	p.mu.Lock()
	if p.underWay == nil {
		p.underWay = map[string]int{}
	}
	if p.underWay[job] > 0 && query.Get("Action") == "ListWorkerResource" && query.Get("CurrentPage") == "1" {
		p.overlaps.Add(1)
	}
	p.underWay[job]++
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.underWay[job]--
		p.mu.Unlock()
	}()
	return p.RoundTripper.RoundTrip(req)
}

// weather changes an estate and what its API does.
type weather struct {
	sim     *simulator.Simulator
	skew    *atomic.Int64
	rnd     *rand.Rand
	nextID  int64
	changes int
}

func (w *weather) appear() {
	w.nextID++
	workers := crowd(5 + w.rnd.IntN(30))
	w.sim.PutJob(simulator.Job{
		ID: w.nextID, Name: fmt.Sprint("job-", w.nextID), Modified: time.Now(), Status: []string{"processing", "success"}[w.nextID%2],
	}, workers)
}

// change makes one thing different.
func (w *weather) change(t *testing.T) {
	t.Helper()
	w.changes++
	jobs := w.sim.Jobs()
	switch kind := w.rnd.IntN(10); {
	case kind < 3:
		faults := append(disturbances(), "slow-headers", "throttle-long-hint", "clock-skew", "expired-token")
		match := simulator.Match{Times: 1 + w.rnd.IntN(30), Action: []string{"", "ListDeploymentJob", "ListWorkerResource", "ListDeploymentJobCert"}[w.rnd.IntN(4)]}
		if err := w.sim.Inject(faults[w.rnd.IntN(len(faults))], match); err != nil {
			t.Fatal(err)
		}
	case kind < 5:
		w.clear()
	case kind == 5:
		w.skew.Store(int64(time.Duration(w.rnd.IntN(48)-24) * time.Hour))
	case kind == 6 && len(jobs) < 8:
		w.appear()
	case kind == 7 && len(jobs) > 3:
		w.sim.DeleteJob(jobs[w.rnd.IntN(len(jobs))].ID)
	default:
		job := jobs[w.rnd.IntN(len(jobs))]
		for _, worker := range w.sim.Workers(job.ID) {
			w.sim.UpdateWorker(job.ID, worker.ID, func(worker *simulator.Worker) {
				worker.Status, worker.Modified = []string{"processing", "success", "error"}[w.rnd.IntN(3)], time.Now()
			})
		}
		w.sim.UpdateJob(job.ID, func(job *simulator.Job) { job.Modified = time.Now() })
	}
}

func (w *weather) clear() {
	w.sim.ClearFaults()
	w.skew.Store(0)
}

// compare compares what is exported with the estate, which has been at rest.
func (w *weather) compare(t *testing.T, r *rig) {
	t.Helper()
	jobs := w.sim.Jobs()
	if got := len(r.values(t, "deployment_job_up")); got != len(jobs) || r.value(t, "discovery_up") != "1" {
		t.Errorf("%d jobs are exported, want %d; discovery_up is %s", got, len(jobs), r.value(t, "discovery_up"))
	}
	for _, job := range jobs {
		id := fmt.Sprintf("job_id=%q", fmt.Sprint(job.ID))
		failed := 0
		for _, worker := range w.sim.Workers(job.ID) {
			if worker.Status == "error" {
				failed++
			}
		}
		got := 0
		for _, n := range r.values(t, "deployment_workers", id, `status="error"`) {
			var count int
			_, _ = fmt.Sscan(n, &count)
			got += count
		}
		if up, all := r.value(t, "deployment_job_up", id), r.value(t, "deployment_job_workers", id); up != "1" || all != fmt.Sprint(len(w.sim.Workers(job.ID))) || got != failed {
			t.Errorf("job %d: up %s, %s workers, %d in error; want %d and %d", job.ID, up, all, got, len(w.sim.Workers(job.ID)), failed)
		}
	}
}

// TestFirstRoundWaitsForItsListing: until something is known of the jobs, no tick ends the
// round, and the exporter is not ready.
func TestFirstRoundWaitsForItsListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{Latency: 10 * time.Second})
		jobs(sim, 2, "processing")
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.account.PollInterval = 4 * time.Second
		})
		accounts := schedule.Accounts{r.Account}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			accounts.Run(ctx)
			close(ended)
		}()
		for r.value(t, "discovery_up") == "0" {
			if accounts.Ready() || r.value(t, "poll_duration_seconds") != "absent" || r.value(t, "poll_last_failures", `reason="auth"`) != "absent" {
				t.Fatal("the first round ended before its listing")
			}
			time.Sleep(time.Second)
		}
		time.Sleep(25 * time.Second)
		if took := r.Round().Took; !accounts.Ready() || took == 0 {
			t.Errorf("ready %v, the last round took %v", accounts.Ready(), took)
		}
		cancel()
		<-ended
	})
}
