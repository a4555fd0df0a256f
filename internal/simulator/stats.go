package simulator

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Call is a call as it arrived.
type Call struct {
	Action string
	JobID  int64
	Page   int        // CurrentPage, 1 if absent
	Query  url.Values // without the signature, the key and the token
}

func newCall(r *http.Request) Call {
	query := maps.Clone(r.Form)
	for _, secret := range []string{"Signature", "AccessKeyId", "SecurityToken"} {
		query.Del(secret)
	}
	c := Call{Action: query.Get("Action"), Page: 1, Query: query}
	c.JobID, _ = strconv.ParseInt(query.Get("JobId"), 10, 64)
	if n, err := strconv.Atoi(query.Get("CurrentPage")); err == nil {
		c.Page = n
	}
	return c
}

// stats counts calls, refused ones included.
type stats struct {
	mu             sync.Mutex
	calls          map[string]int
	inFlight, peak int
	recent         []time.Time // of the last second
	perSecond      int
}

// begin counts a call; the returned function ends it.
func (s *stats) begin(action string, now time.Time) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	s.calls[action]++
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	for len(s.recent) > 0 && now.Sub(s.recent[0]) >= time.Second {
		s.recent = s.recent[1:]
	}
	s.recent = append(s.recent, now)
	s.perSecond = max(s.perSecond, len(s.recent))
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inFlight--
	}
}

// Calls returns how many calls arrived, by action.
func (s *Simulator) Calls() map[string]int {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	calls := maps.Clone(s.stats.calls)
	if calls == nil {
		calls = map[string]int{}
	}
	return calls
}

// PeakInFlight returns the most calls that were being answered at once.
func (s *Simulator) PeakInFlight() int {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	return s.stats.peak
}

// PeakPerSecond returns the most calls that began within one second.
func (s *Simulator) PeakPerSecond() int {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	return s.stats.perSecond
}

// ResetStats forgets the calls and peaks so far.
func (s *Simulator) ResetStats() {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.calls, s.stats.peak, s.stats.perSecond, s.stats.recent = nil, s.stats.inFlight, 0, nil
}

// OnCall sets a function that runs before each answer, in the order of arrival
// or at once: it may change the estate.
func (s *Simulator) OnCall(hook func(Call)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}
