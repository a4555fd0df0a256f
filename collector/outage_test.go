package collector_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/simulator"
)

// TestAnOutageMinuteByMinute takes the API of 1,000 finished jobs, two of which have failed
// workers, away for 20 minutes, and restarts the exporter in the middle of a second outage.
// What is exported each minute is logged and judged: no fact disappears before it is stale,
// and none stays that was repaired.
func TestAnOutageMinuteByMinute(t *testing.T) {
	heavy(t)
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		jobs(sim, 1000, "success")
		for _, id := range []int64{3, 700} {
			sim.UpdateWorker(id, 1, func(w *simulator.Worker) { w.Status = "error" })
		}
		start := time.Now()
		r, stop := started(t, sim)
		r.until(t, "all is read", func() bool { return len(r.values(t, "deployment_job_workers")) == 1000 })
		outage(t, sim)
		var lines []string
		for minute := 1; minute <= 20; minute++ {
			time.Sleep(time.Minute)
			s := r.look(t)
			lines = append(lines, fmt.Sprintf("minute %2d of the outage: %s", minute, s))
			kept := minute <= 9 // data are stale after ten minutes; some were confirmed just before
			gone := minute >= 12
			if s.apiUp != "0" && minute >= 2 || s.listing != "0" && minute >= 2 || s.jobs != "1000" ||
				kept && (s.failed != 2 || s.counted != 1000) || gone && (s.failed != 0 || s.counted != 0 || s.up != 0) {
				t.Errorf("minute %d of the outage: %s", minute, s)
			}
		}
		sim.UpdateWorker(700, 1, func(w *simulator.Worker) { w.Status = "success" }) // repaired meanwhile
		sim.ClearFaults()
		ended := time.Now()
		r.until(t, "all is read again", func() bool { return len(r.values(t, "deployment_job_workers")) == 1000 })
		lines = append(lines, fmt.Sprintf("%v after the outage: %s", time.Since(ended).Round(time.Second), r.look(t)))
		if s := r.look(t); s.failed != 1 || s.up != 1000 || s.apiUp != "1" {
			t.Errorf("after the outage: %s", s)
		}

		outage(t, sim)
		time.Sleep(5 * time.Minute)
		stop()
		r, stop = started(t, sim)
		defer stop()
		time.Sleep(5 * time.Minute)
		s := r.look(t)
		lines = append(lines, fmt.Sprintf("five minutes after a restart in an outage: %s", s))
		if s.apiUp != "0" || s.listing != "0" || s.counted != 0 || s.up != 0 {
			t.Errorf("five minutes after a restart in an outage: %s", s)
		}
		sim.ClearFaults()
		ended = time.Now()
		r.until(t, "the failed job is read", func() bool { return r.look(t).failed == 1 })
		lines = append(lines, fmt.Sprintf("%v after that outage: %s", time.Since(ended).Round(time.Second), r.look(t)))
		if took := time.Since(ended); took > 6*time.Minute {
			t.Errorf("the failed job is read %v after the restart's outage, want it before the others", took)
		}
		t.Logf("%v in all\n%s", time.Since(start), strings.Join(lines, "\n"))
	})
}

// started returns a rig that runs.
func started(t *testing.T, sim *simulator.Simulator) (r *rig, stop func()) {
	t.Helper()
	r = newRig(t, sim, discovering)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		schedule.Accounts{r.Account}.Run(ctx)
		close(ended)
	}()
	return r, func() {
		cancel()
		<-ended
	}
}

func outage(t *testing.T, sim *simulator.Simulator) {
	t.Helper()
	if err := sim.Inject("error-503", simulator.Match{}); err != nil {
		t.Fatal(err)
	}
}

// until waits for an hour at most.
func (r *rig) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for start := time.Now(); !so(); time.Sleep(10 * time.Second) {
		if time.Since(start) > time.Hour {
			t.Fatalf("waited an hour until %s", what)
		}
	}
}

// sight is what is exported at a moment.
type sight struct {
	apiUp, listing, jobs string
	up, counted, failed  int
}

func (r *rig) look(t *testing.T) (s sight) {
	t.Helper()
	s.apiUp, s.listing, s.jobs = r.value(t, "api_up"), r.value(t, "discovery_up"), r.value(t, "deployment_jobs")
	for _, up := range r.values(t, "deployment_job_up") {
		if up == "1" {
			s.up++
		}
	}
	s.counted = len(r.values(t, "deployment_job_workers"))
	s.failed = len(r.values(t, "deployment_failed_worker_modified_timestamp_seconds"))
	return s
}

func (s sight) String() string {
	return fmt.Sprintf("api_up %s, discovery_up %s, %s jobs, %d up, %d counted, %d failed workers by name", s.apiUp, s.listing, s.jobs, s.up, s.counted, s.failed)
}
