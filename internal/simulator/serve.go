package simulator

import (
	"compress/gzip"
	"encoding/json"
	"net/http"
	"time"
)

// ServeHTTP answers one call.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		refuse(w, refusal{400, "InvalidParameter", "The request cannot be parsed."})
		return
	}
	call := newCall(r)
	defer s.stats.begin(call.Action, s.options.Now())()
	if !wait(r, s.options.Latency) {
		return
	}
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		hook(call)
	}
	fault := s.faults.take(call)
	if fault != nil && fault.answer != nil {
		fault.answer.ServeHTTP(w, r)
		return
	}
	if problem := s.verify(r); problem != nil {
		refuse(w, *problem)
		return
	}
	answer, problem := s.act(r, fault)
	if problem != nil {
		refuse(w, *problem)
		return
	}
	text, _ := json.Marshal(answer)
	if fault != nil && fault.text != nil {
		text = fault.text(text)
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	if fault == nil || !fault.zip {
		_, _ = w.Write(text)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	zip := gzip.NewWriter(w)
	_, _ = zip.Write(text)
	_ = zip.Close()
}

// wait lets time pass; false if the caller left meanwhile.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
