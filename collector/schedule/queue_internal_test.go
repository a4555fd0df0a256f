package schedule

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

const (
	pollEvery   = time.Minute
	resyncEvery = time.Hour
)

// epoch is when the tests begin; the queue knows no clock.
func epoch() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }

// waiting returns a job of a line that was last looked at, or added, at a time.
func waiting(id int64, l line, since time.Time, polled bool) *job {
	j := &job{id: id}
	v := newView(id, false, nil)
	v.setRecord(&cas.Job{ID: id, Status: map[bool]string{true: "processing", false: "success"}[l == moving]}, since)
	if l == due {
		v.Snapshot, v.Polled, v.Up = &sweep.Snapshot{}, true, true
	}
	j.view.Store(v)
	if polled {
		j.polled = since
	} else {
		j.added = since
	}
	return j
}

// TestLines: what decides where a job waits.
func TestLines(t *testing.T) {
	success := cas.Job{Status: "success"}
	read := &sweep.Snapshot{}
	for name, test := range map[string]struct {
		record   *cas.Job
		snapshot *sweep.Snapshot
		down     bool
		want     line
	}{
		"not known":                   {want: moving},
		"not known, and read":         {snapshot: read, want: moving},
		"running":                     {record: &cas.Job{Status: "processing"}, snapshot: read, want: moving},
		"waiting for its start":       {record: &cas.Job{Status: "pending"}, want: moving},
		"in error":                    {record: &cas.Job{Status: "error"}, snapshot: read, want: moving},
		"rolled back":                 {record: &cas.Job{Status: "success", RolledBack: true}, snapshot: read, want: moving},
		"a worker failed":             {record: &success, snapshot: &sweep.Snapshot{Failed: make([]sweep.Worker, 1)}, want: moving},
		"a worker failed, unnamed":    {record: &success, snapshot: &sweep.Snapshot{FailedOmitted: 1}, want: moving},
		"its poll failed":             {record: &success, snapshot: read, down: true, want: moving},
		"its first poll failed":       {record: &success, down: true, want: moving},
		"at rest":                     {record: &success, snapshot: read, want: due},
		"at rest, and was never read": {record: &success, want: unread},
	} {
		v := newView(1, false, nil)
		v.Snapshot, v.Polled, v.Up = test.snapshot, test.snapshot != nil || test.down, !test.down
		if test.record != nil {
			v.setRecord(test.record, epoch())
		}
		if got := lineOf(v); got != test.want {
			t.Errorf("%s: waits in line %d, want %d", name, got, test.want)
		}
	}
}

// TestQueueOrder empties random queues. Within a line the job comes first that waits
// longest, then the newest. Between lines the next job is the head that has waited
// longest in proportion to its line's period. All jobs come, once.
func TestQueueOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := newQueue(&Options{PollInterval: pollEvery, ResyncInterval: resyncEvery, Discovery: &Discovery{}})
		of := map[*job]line{}
		var jobs []*job
		for id := range rapid.Int64Range(0, 30).Draw(rt, "jobs") {
			l := line(rapid.IntRange(0, int(lines)-1).Draw(rt, "line"))
			since := epoch().Add(-time.Duration(rapid.IntRange(0, 90).Draw(rt, "minutes")) * time.Minute)
			j := waiting(id+1, l, since, rapid.Bool().Draw(rt, "polled before"))
			jobs, of[j] = append(jobs, j), l
		}
		q.fill(jobs)
		left := slices.Clone(jobs)
		for now := epoch(); len(left) > 0; now = now.Add(time.Duration(rapid.IntRange(0, 5).Draw(rt, "pause")) * time.Minute) {
			periods := []time.Duration{moving: pollEvery, due: resyncEvery, unread: resyncEvery}
			want := slices.MinFunc(left, func(a, b *job) int {
				waited := func(j *job) float64 { return float64(now.Sub(j.waitingSince())) / float64(periods[of[j]]) }
				return cmp.Or(cmp.Compare(waited(b), waited(a)), cmp.Compare(of[a], of[b]), cmp.Compare(b.id, a.id))
			})
			got := q.next(now)
			if got != want {
				rt.Fatalf("got job %v, want %d", got, want.id)
			}
			left = slices.DeleteFunc(left, func(j *job) bool { return j == got })
		}
		if j := q.next(epoch()); j != nil {
			rt.Fatalf("job %d comes again", j.id)
		}
	})
}

// TestNothingStarves polls for hours with more to poll than there is time for, or less.
// Jobs that move are due at every tick, those at rest again after most of the resync
// interval. Under overload every line slows down in proportion: no job of any line
// waits for many more of its periods than the polls of all jobs take.
func TestNothingStarves(t *testing.T) {
	worst := 0.0
	rapid.Check(t, func(rt *rapid.T) {
		const resync = 10 * time.Minute
		periods := []time.Duration{moving: pollEvery, due: resync, unread: resync}
		q, now := newQueue(&Options{PollInterval: pollEvery, ResyncInterval: resync, Discovery: &Discovery{}}), epoch()
		var jobs []*job
		of := map[*job]line{}
		step := time.Duration(rapid.IntRange(1, 30).Draw(rt, "seconds of a poll")) * time.Second
		load := 0.0 // periods that it takes to poll every job as often as its period asks for
		for l, most := range []int{moving: 20, due: 60, unread: 60} {
			for range rapid.IntRange(0, most).Draw(rt, "jobs") {
				j := waiting(int64(len(jobs)+1), line(l), now, true)
				jobs, of[j] = append(jobs, j), line(l)
				load += float64(step) / float64(periods[l])
			}
		}
		waits := func(j *job) {
			waited := float64(now.Sub(j.polled)) / float64(periods[of[j]])
			if worst = max(worst, waited/(load+2)); waited > 1.5*load+2 {
				rt.Fatalf("job %d of line %d waits for %.1f periods at a load of %.1f", j.id, of[j], waited, load)
			}
		}
		for tick := now; now.Sub(epoch()) < 3*time.Hour; tick = tick.Add(pollEvery) {
			var ready []*job
			for _, j := range jobs {
				if of[j] == moving || now.Sub(j.polled) >= resync*4/5 {
					ready = append(ready, j)
				}
			}
			q.fill(ready)
			for now = later(now, tick); now.Before(tick.Add(pollEvery)); now = now.Add(step) {
				j := q.next(now)
				if j == nil {
					break
				}
				waits(j)
				j.polled = now
			}
		}
		for _, j := range jobs {
			waits(j)
		}
	})
	t.Logf("the longest wait was %.1f times the load and two periods", worst)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
