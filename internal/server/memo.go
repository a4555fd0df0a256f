package server

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"aliyun_cas_exporter/collector"
)

// Status is what the pages show.
type Status struct {
	Version  string
	Demo     bool
	Accounts []collector.State
}

// memo is the status of all jobs, each account's worst job first. It is taken once a
// second at most, however many pages are asked for, and then forgotten: nobody pays for it
// while nobody looks.
type memo struct {
	take func() Status

	mu   sync.Mutex
	last *Status
}

// get returns a status that is not older than a second. It must not be written.
func (m *memo) get() *Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil {
		s := m.take()
		for i := range s.Accounts {
			slices.SortFunc(s.Accounts[i].Jobs, func(a, b collector.JobState) int {
				return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(b.ID, a.ID))
			})
		}
		m.last = &s
		time.AfterFunc(freshness, m.forget)
	}
	return m.last
}

func (m *memo) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = nil
}

// rank says how urgent a job is: its worst trouble, else what cannot be read, else what has
// not succeeded.
func rank(j *collector.JobState) int {
	const down, info, unfinished, fine = 100, 101, 102, 103
	switch {
	case len(j.Troubles) > 0 && j.Troubles[0].Severity != collector.Info:
		return j.Troubles[0].Rank
	case j.Down():
		return down
	case len(j.Troubles) > 0:
		return info
	case j.Status != "success":
		return unfinished
	default:
		return fine
	}
}
