package collector_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/simulator"
)

// TestFirstReadBesideMovingJobs starts the exporter on an account of many finished jobs and
// five that move, at 5 calls/s: every job is read in a time near to what its calls take,
// those that move hardly wait longer than an interval meanwhile, and no tick is skipped:
// jobs at rest that still wait go on into the next round.
func TestFirstReadBesideMovingJobs(t *testing.T) {
	for _, test := range []struct {
		rest      int
		firstRead time.Duration // at most
		wait      time.Duration // of a job that moves, at most
	}{{100, 3 * time.Minute, 75 * time.Second}, {1000, 13 * time.Minute, 80 * time.Second}, {4000, 65 * time.Minute, 105 * time.Second}} {
		t.Run(fmt.Sprint(test.rest), func(t *testing.T) {
			if test.rest > 100 {
				heavy(t)
			}
			if test.rest > 1000 {
				large(t)
			}
			synctest.Test(t, func(t *testing.T) {
				firstRead, wait := firstReadOf(t, test.rest)
				t.Logf("%d finished jobs: all are read after %.1f min, the longest wait of a job that moves is %.0f s", test.rest, firstRead.Minutes(), wait.Seconds())
				if firstRead > test.firstRead || wait > test.wait {
					t.Errorf("want at most %v and %v", test.firstRead, test.wait)
				}
			})
		})
	}
}

// firstReadOf returns when the last of the finished jobs was first read, and the longest
// time between two reads of a job that moves.
func firstReadOf(t *testing.T, rest int) (firstRead, wait time.Duration) {
	t.Helper()
	sim := finishedJobs(rest, func() []simulator.Worker { return crowd(1) })
	last := map[int64]time.Time{} // read of each job that moves
	for id := range int64(5) {
		sim.PutJob(simulator.Job{ID: id + 1, Status: "processing", Modified: time.Now().Add(-time.Hour)}, crowd(1))
		last[id+1] = time.Now()
	}
	var mu sync.Mutex
	start, read := time.Now(), map[int64]bool{}
	sim.OnCall(func(call simulator.Call) {
		if call.Action != "ListWorkerResource" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if at, moves := last[call.JobID]; moves {
			wait = max(wait, time.Since(at))
			last[call.JobID] = time.Now()
			return
		}
		if !read[call.JobID] {
			read[call.JobID], firstRead = true, time.Since(start)
		}
	})
	r := newRig(t, sim, discovering)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		schedule.Accounts{r.Account}.Run(ctx)
		close(ended)
	}()
	all := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(read) == rest
	}
	for !all() {
		time.Sleep(time.Minute)
		if round := r.Round(); time.Since(start) > 3*time.Minute && time.Since(round.Ended) > 2*r.options.PollInterval {
			t.Errorf("after %v the last round ended %v ago", time.Since(start), time.Since(round.Ended))
		}
	}
	if skipped := r.values(t, "poll_skipped_total"); !slices.Equal(skipped, []string{"0"}) {
		t.Errorf("%v ticks were skipped, want none", skipped)
	}
	cancel()
	<-ended
	return firstRead, wait
}
