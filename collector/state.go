package collector

import (
	"cmp"
	"slices"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// State is what a person wants to know of an account.
type State struct {
	Name         string // empty for the unnamed account
	Polled       bool   // the first cycle has ended
	LastPoll     time.Time
	ListingError string // of the last listing, free of secrets; empty if it succeeded
	Jobs         []JobState
}

// JobState is what a person wants to know of a job.
type JobState struct {
	ID           int64
	Name, Status string
	Polled, Up   bool
	Failure      reason.Reason
	Error        string        // free of secrets
	Success      time.Time     // last confirmation, zero: never
	Stale        bool          // too old to be exported
	Workers      []StatusCount // over all products and regions; empty if stale
}

// StatusCount is a number of workers in one status.
type StatusCount struct {
	Status string
	N      int
}

// States returns the state of every account.
func (f *Fleet) States() []State {
	states := make([]State, 0, len(f.pollers))
	for _, p := range f.pollers {
		a := p.account.Load()
		s := State{Name: p.options.Account, Polled: a.polled, LastPoll: a.last, ListingError: a.discovery.text}
		for _, j := range *p.jobs.Load() {
			s.Jobs = append(s.Jobs, j.view.Load().state(time.Now(), p.options.MaxStaleness))
		}
		states = append(states, s)
	}
	return states
}

func (v *View) state(now time.Time, maxStaleness time.Duration) JobState {
	s := JobState{ID: v.ID, Polled: v.Polled, Up: v.Up, Failure: v.Failure, Error: v.Error, Success: v.Success}
	if v.shows(records, now, maxStaleness) {
		s.Name, s.Status = v.record.value.Name, v.record.value.Status
	}
	if !v.shows(sweeps, now, maxStaleness) {
		s.Stale = v.snapshot != nil
		return s
	}
	v.snapshot.fill(func(g group) {
		i := slices.IndexFunc(s.Workers, func(c StatusCount) bool { return c.Status == g.status })
		if i < 0 {
			i, s.Workers = len(s.Workers), append(s.Workers, StatusCount{Status: g.status})
		}
		s.Workers[i].N += g.count
	})
	// Groups come by the alphabet; people think in the order of a worker's life.
	slices.SortStableFunc(s.Workers, func(a, b StatusCount) int { return cmp.Compare(rank(a.Status), rank(b.Status)) })
	return s
}

// rank returns the place of a status in a worker's life; what is undocumented
// comes last.
func rank(status string) int {
	documented := cas.WorkerStatuses()
	if i := slices.Index(documented, status); i >= 0 {
		return i
	}
	return len(documented)
}
