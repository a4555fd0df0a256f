package collector

import (
	"cmp"
	"slices"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// State is what a person wants to know of an account.
type State struct {
	Name         string // empty for the unnamed account
	Region       string // of the API; empty where there is one
	Polled       bool   // the first round has ended
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

// Total returns the number of workers.
func (j *JobState) Total() (n int) {
	for _, c := range j.Workers {
		n += c.N
	}
	return n
}

// Failed returns the number of workers that failed.
func (j *JobState) Failed() (n int) {
	for _, c := range j.Workers {
		if c.Status == cas.StatusError || c.Status == cas.StatusRollbackError {
			n += c.N
		}
	}
	return n
}

// Down reports whether the last poll of the job failed.
func (j *JobState) Down() bool { return j.Polled && !j.Up }

// States returns the state of every account.
func (c *Collector) States() []State {
	states := make([]State, 0, len(c.accounts))
	for _, a := range c.accounts {
		round := a.Round()
		s := State{Name: a.Name, Region: a.Region, Polled: !round.Ended.IsZero(), LastPoll: round.Ended, ListingError: a.Listing().Error}
		for _, v := range a.Views(nil) {
			s.Jobs = append(s.Jobs, state(v, time.Now(), a.MaxStaleness))
		}
		states = append(states, s)
	}
	return states
}

func state(v *schedule.View, now time.Time, maxStaleness time.Duration) JobState {
	s := JobState{ID: v.ID, Polled: v.Polled, Up: v.Up, Failure: v.Failure, Error: v.Error, Success: v.Success}
	if v.Shows(schedule.Records, now, maxStaleness) {
		s.Name, s.Status = v.Record.Value.Name, v.Record.Value.Status
	}
	if !v.Shows(schedule.Sweeps, now, maxStaleness) {
		s.Stale = v.Snapshot != nil
		return s
	}
	v.Snapshot.AllGroups(func(g sweep.Group) {
		i := slices.IndexFunc(s.Workers, func(c StatusCount) bool { return c.Status == g.Status })
		if i < 0 {
			i, s.Workers = len(s.Workers), append(s.Workers, StatusCount{Status: g.Status})
		}
		s.Workers[i].N += g.Workers
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
