package schedule

import (
	"maps"
	"slices"
	"time"

	"aliyun_cas_exporter/internal/reason"
)

// Round is a round that ended.
type Round struct {
	Ended    time.Time // zero: none has
	Took     time.Duration
	Failures map[reason.Reason]int // jobs and listings that failed
	Requests map[string]float64    // by action
}

// round is the jobs that a tick put into the queue, until the last of them was polled.
// The next tick ends it as well, unless jobs that move still wait: jobs at rest, and
// sweeps under way, go on into the next round. The zero value means that no round is running.
type round struct {
	start    time.Time
	whole    bool // the tick's listing has ended, so that open is all
	open     map[*job]bool
	failures map[reason.Reason]int
	requests map[string]float64 // by action, before the round
}

func newRound(start time.Time, requests map[string]float64) round {
	return round{start: start, open: map[*job]bool{}, failures: map[reason.Reason]int{}, requests: requests}
}

// running reports whether there is a round.
func (r *round) running() bool { return r.open != nil }

// update removes the jobs that are done. If the tick began the round, or the round's listing
// has just ended, it first adds all jobs that wait or are being polled. listed says that the
// listing of a tick has ended.
func (r *round) update(tick time.Time, waiting []*job, polling map[int64]*job, listed bool) {
	if !r.running() {
		return
	}
	begins := r.start.Equal(tick) || listed && !r.whole
	r.whole = r.whole || listed
	before, open := r.open, map[*job]bool{}
	for _, j := range waiting {
		open[j] = true
	}
	for _, j := range polling {
		open[j] = true
	}
	if !begins {
		maps.DeleteFunc(open, func(j *job, _ bool) bool { return !before[j] })
	}
	r.open = open
}

// failed counts a failure.
func (r *round) failed(err error) {
	if why := reason.Of(err); r.running() && why != "" {
		r.failures[why]++
	}
}

// anyOf reports whether any of the jobs is in the round.
func (r *round) anyOf(jobs []*job) bool {
	return slices.ContainsFunc(jobs, func(j *job) bool { return r.open[j] })
}

// done reports whether nothing of the round is left.
func (r *round) done() bool { return r.running() && r.whole && len(r.open) == 0 }

// end returns what the round was.
func (r *round) end(requests map[string]float64) *Round {
	for action, n := range r.requests {
		requests[action] -= n
	}
	now := time.Now()
	return &Round{Ended: now, Took: now.Sub(r.start), Failures: r.failures, Requests: requests}
}
