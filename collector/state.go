package collector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// State is what a person wants to know of an account.
type State struct {
	Name         string // empty for the unnamed account
	Region       string // of the API; empty where there is one
	Polled       bool   // the first round has ended
	LastPoll     time.Time
	API          API
	ListingError string // of the last listing, free of secrets; empty if it succeeded
	Narrowed     []string
	Jobs         []JobState // by ID
}

// JobState is what a person wants to know of a job.
type JobState struct {
	ID           int64
	Name, Status string
	Polled, Up   bool
	Failure      reason.Reason
	Error        string        // free of secrets
	Since        time.Time     // when Up last changed
	Success      time.Time     // last confirmation, zero: never
	Stale        bool          // too old to be exported
	Workers      []StatusCount // over all products and regions, those of which there are any; empty if stale
	Failed       int           // workers that failed and that no later job superseded
	Superseded   int           // workers that failed whose resource a later job has reached
	Troubles     []Trouble     // the worst first
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

// Down reports whether the last poll of the job failed.
func (j *JobState) Down() bool { return j.Polled && !j.Up }

// States returns the state of every account.
func (c *Collector) States() []State {
	states, now, known := make([]State, 0, len(c.accounts)), time.Now(), conditions()
	for _, a := range c.accounts {
		round := a.Round()
		s := State{
			Name: a.Name, Region: a.Region, Polled: !round.Ended.IsZero(), LastPoll: round.Ended,
			ListingError: a.Listing().Error, Narrowed: narrowed(a.Options),
		}
		if m, ok := a.Observer.(*Metrics); ok {
			s.API = m.API()
		}
		all := allFacts(a.Views(nil), a.Options, now)
		s.Jobs = make([]JobState, 0, len(all))
		for i := range all {
			s.Jobs = append(s.Jobs, state(&all[i], known))
		}
		states = append(states, s)
	}
	return states
}

// narrowed returns what hides jobs of the account, in words; nothing does in the default
// settings but the age.
func narrowed(o *schedule.Options) (by []string) {
	add := func(is bool, format string, args ...any) {
		if is {
			by = append(by, fmt.Sprintf(format, args...))
		}
	}
	d := o.Discovery
	add(d == nil, "CAS_JOB_IDS names the jobs, and CAS_DISCOVERY is off")
	if d != nil {
		add(d.MaxAge > 0, "CAS_DISCOVERY_MAX_AGE hides finished jobs that did not change for %d days", int(d.MaxAge.Hours()/24))
		add(d.Name != nil, "CAS_DISCOVERY_NAME_REGEXP selects the jobs whose names match %v", d.Name)
		add(len(d.JobTypes) > 0, "CAS_DISCOVERY_JOB_TYPES selects %s", strings.Join(d.JobTypes, ", "))
		add(len(d.Statuses) > 0, "CAS_DISCOVERY_STATUSES selects %s", strings.Join(d.Statuses, ", "))
	}
	add(o.TotalShards > 1, "this process is shard %d of %d, and the others watch the other jobs", o.Shard, o.TotalShards)
	return by
}

func state(f *facts, known []condition) JobState {
	v := f.View
	s := JobState{
		ID: v.ID, Status: f.status, Polled: v.Polled, Up: v.Up, Failure: v.Failure, Error: v.Error, Since: v.Since, Success: v.Success,
		Name: f.record().Name, Stale: v.Snapshot != nil && !f.sweeps, Troubles: troublesOf(f, known),
		Failed: f.errors.n + f.rollbacks.n, Superseded: f.superseded,
	}
	if !f.sweeps {
		return s
	}
	for i := range v.Snapshot.Groups {
		g := &v.Snapshot.Groups[i]
		n := slices.IndexFunc(s.Workers, func(c StatusCount) bool { return c.Status == g.Status })
		if n < 0 {
			n, s.Workers = len(s.Workers), append(s.Workers, StatusCount{Status: g.Status})
		}
		s.Workers[n].N += g.Workers
	}
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
