package schedule

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

// workers is an API whose jobs all have these.
type workers []cas.Worker

func (w workers) ListWorkers(context.Context, cas.WorkerQuery, []cas.Worker) (cas.WorkerPage, error) {
	return cas.WorkerPage{Total: int64(len(w)), Workers: w}, nil
}

func (w workers) sweep(tb testing.TB) *sweep.Snapshot {
	tb.Helper()
	s, err := sweep.Job(tb.Context(), w, 1, sweep.Options{
		PageSize: len(w), Concurrency: 1, MaxWorkers: len(w), MaxGroups: 10, Timeout: func(int) time.Duration { return time.Hour },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestSupersededOfAViewThatWasReplaced asks about the failures of a view that a scrape took
// before the job was read again.
func TestSupersededOfAViewThatWasReplaced(t *testing.T) {
	all := newTargets()
	before := workers{{ID: 1, Status: cas.StatusError, Resource: 11}, {ID: 2, Status: cas.StatusError, Resource: 12}}.sweep(t)
	all.put(1, before)
	all.put(2, workers{{ID: 3, Status: cas.StatusSuccess, Resource: 11}}.sweep(t))
	for when, now := range map[string]*sweep.Snapshot{"repaired": workers{{ID: 1, Status: cas.StatusSuccess, Resource: 11}}.sweep(t), "stale": nil, "again": before} {
		all.put(1, now)
		if n := all.superseded(1, before.Targets); n != 1 {
			t.Errorf("%s: %d failures are superseded, want 1", when, n)
		}
	}
}

// deployed sweeps a job of workers in success and in error at random targets of an account
// that has so many.
func deployed(tb testing.TB, random *rand.Rand, success, failed, targets int) *sweep.Snapshot {
	tb.Helper()
	all := make(workers, success+failed)
	for i := range all {
		all[i] = cas.Worker{ID: int64(i + 1), Status: cas.StatusSuccess, Resource: cas.ResourceKey(1_000_000 + random.IntN(targets))}
		if i >= success {
			all[i].Status = cas.StatusError
		}
	}
	return all.sweep(tb)
}

// BenchmarkTargets replaces what is known of one job among many, back and forth: with
// targets that nobody failed at before, and a giant one that supersedes many failures.
func BenchmarkTargets(b *testing.B) {
	const targets = 200_000
	for _, jobs := range []int{1000, 10_000} {
		for name, play := range map[string][2][2]int{ // workers in success and in error, before and after
			"500 new failures":    {{110, 0}, {110, 500}},
			"of 100,000, another": {{100_000, 0}, {100_001, 0}},
			"of 110, another":     {{110, 5}, {111, 5}},
		} {
			b.Run(fmt.Sprintf("jobs=%d/%s", jobs, name), func(b *testing.B) {
				random := rand.New(rand.NewPCG(1, 2))
				t := newTargets()
				for id := range int64(jobs) {
					t.put(id+1, deployed(b, random, 110, 0, targets))
				}
				for id := range int64(100) { // 50,000 failures
					t.put(id+1, deployed(b, random, 110, 500, targets))
				}
				var states [2]*sweep.Snapshot
				for i, n := range play {
					states[i] = deployed(b, random, n[0], n[1], targets)
				}
				t.put(int64(jobs)+1, states[1])
				for i := 0; b.Loop(); i++ {
					t.put(int64(jobs)+1, states[i%2])
				}
			})
		}
	}
}
