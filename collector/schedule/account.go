package schedule

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// Account watches the jobs of one account. Run it, or Poll it; everything else is
// safe for concurrent use.
type Account struct {
	poller
	lister lister
	cost   cost

	published

	running sync.WaitGroup  // workers, and a listing
	listed  <-chan struct{} // closed when the last listing has ended

	mu      sync.Mutex // guards what follows, and of the jobs what a poll does not own
	tick    time.Time  // when the last tick began
	queue   queue
	polling map[int64]*job // by id: one that left the listing and came back is polled once at a time
	working int            // workers
	current round
}

// New returns an Account. Its configured jobs are visible at once, as not up.
func New(o Options) *Account {
	a := &Account{queue: newQueue(&o), polling: map[int64]*job{}}
	a.Options, a.targets = &o, newTargets()
	a.lister.Options, a.cost.Options = &o, &o
	var jobs []*job
	for _, id := range o.JobIDs {
		if o.owns(id) {
			jobs = append(jobs, newJob(id, true, a.targets))
		}
	}
	a.publish(jobs)
	return a
}

// Run polls until ctx ends: a tick after the delay, then one at every interval.
func (a *Account) Run(ctx context.Context, delay time.Duration) {
	defer a.running.Wait()
	var jitter time.Duration // keeps exporters that started together from calling together
	for next := time.Now().Add(delay); sleep(ctx, time.Until(next)+jitter); next = next.Add(a.PollInterval) {
		listed := a.beginTick(ctx)
		patience := time.NewTimer(a.PollInterval / 5)
		select {
		case <-listed:
		case <-patience.C: // a slow listing holds up no job that is known
			a.fill(ctx, nil, time.Time{})
		}
		patience.Stop()
		jitter = rand.N(a.PollInterval / 10)
	}
}

// Poll makes one tick and polls until no job waits, however long that takes. It
// reports whether every job, and the listing, succeeded.
func (a *Account) Poll(ctx context.Context) bool {
	<-a.beginTick(ctx)
	a.running.Wait()
	a.cost.logRun(a.Logger, a.Round(), len(*a.jobs.Load()))
	return ctx.Err() == nil && len(a.Round().Failures) == 0
}

// beginTick lets the jobs be listed, unless the last listing is still being read, and
// polled. What it returns is closed when they are in the queue.
func (a *Account) beginTick(ctx context.Context) (listed <-chan struct{}) {
	a.API.Tick()
	tick := time.Now()
	a.beginRound(tick)
	if a.listed == nil || closed(a.listed) {
		ended := make(chan struct{})
		a.listed = ended
		a.running.Go(func() {
			defer close(ended)
			a.list(ctx, tick)
		})
	}
	return a.listed
}

// list reads and takes the listing of a tick, if there is discovery, and fills the queue.
func (a *Account) list(ctx context.Context, tick time.Time) {
	var l listed
	if a.Discovery != nil {
		l = a.lister.list(ctx)
		if errors.Is(l.err, context.Canceled) {
			return
		}
		a.take(l, tick)
	}
	if l.err != nil && a.Once {
		a.API.Tick() // no other one lets the jobs that are configured try
	}
	a.fill(ctx, l.jobs, tick)
}

// beginRound ends the previous round, unless it waits for the first listing or moving jobs
// of it still wait.
func (a *Account) beginRound(tick time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tick = tick
	unlisted := a.current.running() && a.Discovery != nil && !a.Listing().Polled
	if unlisted || a.current.anyOf(a.queue.waiting[moving]) {
		a.Observer.TicksSkipped(1)
		return
	}
	if a.current.running() {
		a.endRound()
	}
	a.current = newRound(tick, a.Observer.RequestsByAction())
}

// endRound publishes the round and the expected cost of polling. The caller holds mu.
func (a *Account) endRound() {
	a.expect(*a.jobs.Load())
	a.round.Store(a.current.end(a.Observer.RequestsByAction()))
	a.current = round{}
}

// take publishes the outcome of a listing. One that failed changes no job.
func (a *Account) take(l listed, tick time.Time) {
	before := a.Listing()
	next := Listing{Polled: true, Up: l.err == nil, Failure: reason.Of(l.err), pages: l.pages}
	if l.err != nil {
		next.Error, next.pages = l.err.Error(), before.pages
		a.Observer.PollFailed(next.Failure)
		a.mu.Lock()
		a.current.failed(l.err)
		a.mu.Unlock()
	} else {
		a.adopt(l.jobs, tick)
	}
	a.listing.Store(&next)
	logListing(a.Logger, before, next, len(*a.jobs.Load()))
}

// adopt makes the jobs of the listing and of the settings the watched ones.
func (a *Account) adopt(listed map[int64]*cas.Job, now time.Time) {
	known := map[int64]bool{}
	var jobs []*job
	for _, j := range *a.jobs.Load() {
		known[j.id] = true
		if record, ok := listed[j.id]; j.configured || ok && a.Discovery.covers(record, now) {
			jobs = append(jobs, j)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, record := range listed {
		if !known[id] && a.owns(id) && a.Discovery.covers(record, now) {
			jobs = append(jobs, cmp.Or(a.polling[id], newJob(id, false, a.targets)))
		}
	}
	a.watch(jobs)
}

// fill takes what a listing of the tick at says of the jobs, and puts those into the queue
// that have something to ask the API and were not polled since the last tick. at is zero
// before the listing has ended.
func (a *Account) fill(ctx context.Context, records map[int64]*cas.Job, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	jobs := *a.jobs.Load()
	var waiting []*job
	for _, j := range jobs {
		j.learn(records[j.id], at)
		if a.polling[j.id] == nil && j.mustPoll(at, a.MaxStaleness) && j.polled.Before(a.tick) {
			waiting = append(waiting, j)
		}
	}
	a.queue.fill(waiting)
	a.targets.takeAll(jobs, a.MaxStaleness)
	a.expect(jobs)
	a.current.update(a.tick, waiting, a.polling, !at.IsZero())
	if a.current.done() {
		a.endRound()
	}
	for range min(a.workers(), len(a.polling)+len(waiting)) - a.working {
		a.working++
		a.running.Go(func() { a.work(ctx) })
	}
}

// expect publishes, and logs, what the polling takes: before the first read, which is long.
func (a *Account) expect(jobs []*job) {
	expected := a.cost.expect(jobs, a.Listing().pages)
	a.expected.Store(&expected)
	a.cost.log(a.Logger, expected, len(jobs))
}

// work polls jobs until none waits.
func (a *Account) work(ctx context.Context) {
	for j, tick := a.next(ctx); j != nil; j, tick = a.next(ctx) {
		again, err := a.poll(ctx, j, tick)
		a.finish(j, again, err)
	}
}

// next takes a job out of the queue; nil ends the worker.
func (a *Account) next(ctx context.Context) (*job, time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var j *job
	if ctx.Err() == nil {
		j = a.queue.next(time.Now())
	}
	if j == nil {
		a.working--
		return nil, time.Time{}
	}
	j.polled = time.Now()
	a.polling[j.id] = j
	return j, a.tick
}

// finish ends the poll of a job, or a step of it, and the round with its last one.
func (a *Account) finish(j *job, again bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.polling, j.id)
	if again {
		a.queue.add(j)
		return
	}
	delete(a.current.open, j)
	a.current.failed(err)
	if a.current.done() {
		a.endRound()
	}
}
