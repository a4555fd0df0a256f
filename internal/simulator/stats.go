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
