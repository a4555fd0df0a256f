package collector

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// cycle is one pass over the account's jobs.
type cycle struct {
	*Poller
	start  time.Time
	whole  bool                    // every job is read, however long it takes
	abort  context.CancelCauseFunc // ends the cycle for all jobs; see hopeless
	listed map[int64]*cas.Job      // nil: there is no listing, or it failed
	asked  verdicts                // on actions of context

	polls sync.WaitGroup // of jobs, under way

	mu      sync.Mutex
	failed  int
	taken   bool // the API took the credentials
	refused int  // jobs since then for which it did not
}

// hopeless is the cause of a cycle that ended early for all its jobs.
type hopeless struct{ error }

func (h hopeless) Unwrap() error { return h.error }

// run polls every job once, but for those that are still being read. It reports
// whether all of it succeeded.
func (c *cycle) run(ctx context.Context) bool {
	ctx, c.abort = context.WithCancelCause(ctx)
	defer c.cycles.Go(func() {
		c.polls.Wait()
		c.abort(nil)
	})
	c.discover(ctx)
	var due []*job
	for _, j := range *c.jobs.Load() {
		if !j.reading.Load() && !c.confirm(j) {
			due = append(due, j)
		}
	}
	c.logBudget(c.expect()) // before the first read, which can take long
	group := &errgroup.Group{}
	group.SetLimit(c.options.Concurrency)
	start := func(jobs []*job, end time.Duration) {
		for _, j := range jobs {
			if !c.whole && time.Since(c.start) > end {
				return // the others come first in the next cycle
			}
			group.Go(func() error {
				c.pollInTime(ctx, j)
				return nil
			})
		}
	}
	urgent, resting := inTurn(due)
	// Each has a share of every cycle, however long the listing took.
	share := c.options.PollInterval - c.working()
	start(urgent, max(c.budget()*4/5, time.Since(c.start)+share))
	start(resting, max(c.working(), time.Since(c.start)+share))
	_ = group.Wait() // poll keeps its errors
	confirmed := 0
	for _, j := range *c.jobs.Load() {
		if !j.view.Load().Success.Before(c.start) {
			confirmed++
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ailing = c.failed > confirmed
	return c.failed == 0
}

// pollInTime polls a job and returns when that is done or, so that one job makes the data
// of no other stale, once it shows that it takes long: then the read goes on beside the
// cycles to come. There is room for a few of these.
func (c *cycle) pollInTime(ctx context.Context, j *job) {
	done, long := make(chan struct{}), make(chan struct{}, 1)
	j.reading.Store(true)
	c.polls.Go(func() {
		defer close(done)
		defer j.reading.Store(false)
		c.poll(ctx, j, func(pages int) {
			if !c.whole && c.slow(pages) && len(long) == 0 {
				long <- struct{}{}
			}
		})
	})
	select {
	case <-done:
		return
	case <-long:
	}
	select {
	case <-done:
	case c.aside <- struct{}{}:
		c.polls.Go(func() {
			<-done
			<-c.aside
		})
	}
}

// confirm takes what the listing says of a job, and reports whether that leaves
// nothing to ask the API.
func (c *cycle) confirm(j *job) bool {
	record, ok := c.listed[j.id]
	if !ok {
		return false
	}
	v := *j.view.Load()
	v.record = dated[*cas.Job]{value: record, read: c.start, at: c.start} // it was read after that
	settled := j.settled(&v, v.record.at, c.options.MaxStaleness, true)
	if settled {
		v.Success = v.record.at
	}
	complete := v.confirmContext()
	j.view.Store(&v)
	return settled && (complete || !j.missed.again(&v, c.start, c.options.MaxStaleness))
}

// inTurn parts jobs for the case that the time does not suffice for all: what
// fails, moves or is not known, and what is at rest. Within each, what waited
// longest comes first, so that nothing waits for ever.
func inTurn(jobs []*job) (urgent, resting []*job) {
	for _, j := range jobs {
		if j.view.Load().urgent() {
			urgent = append(urgent, j)
		} else {
			resting = append(resting, j)
		}
	}
	for _, part := range [][]*job{urgent, resting} {
		slices.SortFunc(part, func(a, b *job) int {
			return cmp.Or(a.attempted.Compare(b.attempted), cmp.Compare(b.id, a.id)) // renewals have the larger ids
		})
	}
	return urgent, resting
}

// urgent reports whether the job fails, moves or is not known at all.
func (v *View) urgent() bool {
	if v.snapshot != nil && v.snapshot.trouble() || v.Polled && !v.Up {
		return true
	}
	record := v.record.value
	return !v.record.known() || !record.Finished() || record.Status == "error" || record.RolledBack
}

// poll confirms or reads one job and publishes what it found. begun is told the pages
// of each read.
func (c *cycle) poll(ctx context.Context, j *job, begun func(pages int)) {
	j.attempted = time.Now()
	v := *j.view.Load()
	recordErr := c.refreshRecord(ctx, j, &v)
	start := time.Now()
	fresh := v.record.known() && !v.record.at.Before(c.start)
	gone := reason.Of(recordErr) == reason.NotFound
	if !gone && j.settled(&v, start, c.options.MaxStaleness, fresh) {
		if fresh {
			v.Success = v.record.at
		}
		c.refreshContext(ctx, j, &v)
		j.view.Store(&v)
		return
	}
	snapshot, err := c.sweep(ctx, j.id, begun)
	c.judge(err, true)
	if err == nil && snapshot.workers == 0 && gone {
		err = recordErr // the empty list of a job that nobody knows says nothing
	}
	var end hopeless
	switch {
	case err != nil && errors.As(context.Cause(ctx), &end):
		err = end.error
	case errors.Is(err, context.Canceled):
		return // the program ends
	}
	c.conclude(&v, snapshot, err)
	if err == nil {
		j.note(&v, start, c.options.ResyncInterval)
		c.refreshContext(ctx, j, &v)
	}
	j.view.Store(&v)
}

// conclude writes the outcome of a sweep into a view.
func (c *cycle) conclude(v *View, snapshot *Snapshot, err error) {
	before := *v
	v.Polled, v.Up, v.Failure, v.Error = true, err == nil, reason.Of(err), ""
	if err == nil {
		v.snapshot, v.Success = snapshot, snapshot.swept
	} else {
		v.Error = err.Error()
		c.fail(err)
	}
	if v.Up != before.Up || !before.Polled {
		v.Since = time.Now()
	}
	c.logChange(&before, v)
}

// fail counts a failed poll.
func (c *cycle) fail(err error) {
	c.options.Metrics.failures.WithLabelValues(string(reason.Of(err))).Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed++
}

// judge learns from the outcome of a call, or of a job's sweep, whether the API takes
// the credentials: without valid ones nothing else can succeed. Where it took them
// before in this cycle, one job that it refuses may be alone.
func (c *cycle) judge(err error, sweep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.taken, c.refused = true, 0
	case reason.Of(err) == reason.Auth:
		if sweep {
			c.refused++
		}
		if !c.taken || c.refused > 1 {
			c.abort(hopeless{err})
		}
	}
}
