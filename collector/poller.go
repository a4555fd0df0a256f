package collector

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"aliyun_cas_exporter/internal/cas"
)

// Poller watches one account. Run it once; everything else is safe for
// concurrent use.
type Poller struct {
	options  Options
	statuses []string               // that every product and region shows
	jobs     atomic.Pointer[[]*job] // by id
	table    *table
	account  atomic.Pointer[account]
	latest   atomic.Pointer[dated[cas.JobCounts]] // of any job: it has the account's quota

	discovery discovery // belongs to the cycle, as do the next two
	budgeted  float64
	ailing    bool // more failed in the last cycle than was confirmed

	cycles sync.WaitGroup // that have polls under way
	aside  chan struct{}  // holds the sweeps that outlast their cycle
}

// account is what is known of the account after a cycle. It is never written
// after it is published.
type account struct {
	polled    bool
	last      time.Time // when the last cycle ended
	took      time.Duration
	discovery discovery
	requests  map[string]float64 // of the last cycle, by action
	expected  map[string]float64 // of a cycle in the long run, by action
}

// New returns a Poller. Its configured jobs are visible at once, as not up.
func New(o Options) *Poller {
	o.Statuses = inOrder(o.Statuses, cas.WorkerStatuses()) // a worker that moves on meanwhile is met
	p := &Poller{options: o, table: newTable(o.Account), statuses: o.Statuses, aside: make(chan struct{}, o.Concurrency)}
	if len(p.statuses) == 0 {
		p.statuses = cas.WorkerStatuses()
	}
	var jobs []*job
	for _, id := range o.JobIDs {
		if o.owns(id) {
			jobs = append(jobs, newJob(id, true))
		}
	}
	p.watch(jobs)
	p.account.Store(&account{})
	return p
}

// run polls until ctx ends: after the stagger, then at every interval. A cycle
// that takes longer than the interval makes the next one wait for the tick after
// it.
func (p *Poller) run(ctx context.Context, stagger time.Duration, turns *turns) {
	defer p.cycles.Wait()
	turn := turns.sound
	var jitter time.Duration // keeps exporters that started together from calling together
	for tick := time.Now().Add(stagger); sleep(ctx, time.Until(tick)+jitter); {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return
		}
		start := time.Now()
		p.Poll(ctx)
		took := time.Since(start)
		<-turn
		turn = turns.sound
		if p.ailing && took > p.options.PollInterval/4 {
			turn = turns.ailing
		}
		tick = p.nextTick(tick, time.Since(tick)-jitter, took)
		jitter = rand.N(p.options.PollInterval / 10)
	}
}

// sleep waits; false as soon as the context ends.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// nextTick returns the first tick that is still to come, or has just passed, so long
// after the one before it.
func (p *Poller) nextTick(tick time.Time, after, took time.Duration) time.Time {
	skipped := int(after / p.options.PollInterval)
	if skipped > 0 {
		p.options.Metrics.skipped.Add(float64(skipped))
		p.options.Logger.Warn("poll, and the wait for its turn, took longer than the interval: ticks were skipped",
			"poll_seconds", took.Seconds(), "interval_seconds", p.options.PollInterval.Seconds(), "skipped", skipped)
	}
	return tick.Add(time.Duration(skipped+1) * p.options.PollInterval)
}

// Poll runs one cycle and reports whether every job, and the listing, succeeded.
// It must not be called while another cycle runs.
func (p *Poller) Poll(ctx context.Context) bool { return p.runCycle(ctx, false) }

// runCycle runs one cycle; a whole one reads every job, however long it takes.
func (p *Poller) runCycle(ctx context.Context, whole bool) bool {
	c := &cycle{Poller: p, start: time.Now(), whole: whole}
	before := p.options.Metrics.requestsByAction()
	ok := c.run(ctx)
	if ctx.Err() != nil {
		return false
	}
	a := &account{
		polled: true, last: time.Now(), took: time.Since(c.start), discovery: p.discovery,
		requests: p.options.Metrics.requestsByAction(), expected: p.expect(),
	}
	for action, n := range before {
		a.requests[action] -= n
	}
	p.account.Store(a)
	p.logBudget(a.expected)
	return ok
}

// budget bounds a cycle: what it confirmed at its start must not become stale
// before the next one begins.
func (p *Poller) budget() time.Duration { return p.options.MaxStaleness / 2 }

// working is how much of the interval a cycle plans to work: the rest lets what it
// began end before the next tick.
func (p *Poller) working() time.Duration { return p.options.PollInterval * 4 / 5 }

// patience is how long a listing of so many pages may take: thrice its time at
// the configured rate, with as many jobs beside it as are read at once.
func (p *Poller) patience(pages int) time.Duration { return max(p.budget(), 3*p.takes(pages)) }

// slow reports whether a read of so many pages takes longer than a cycle may.
func (p *Poller) slow(pages int) bool { return p.takes(pages) > p.budget() }

// takes is how long pages take beside as many jobs as are read at once.
func (p *Poller) takes(pages int) time.Duration {
	seconds := float64(pages) * float64(p.options.Concurrency) / p.options.RateLimit
	return time.Duration(min(seconds, (8*time.Hour).Seconds()) * float64(time.Second))
}
