package simulator

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
)

// maxBody bounds the body of a request: parameters alone.
const maxBody = 1 << 20

// ServeHTTP answers one call.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.options.Now().UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil || r.ParseForm() != nil {
		refuse(w, refusal{400, "InvalidParameter", "The request cannot be parsed."})
		return
	}
	verify := s.verify
	if isSigned3(r) {
		adopt3(r)
		verify = func(r *http.Request) *refusal { return s.verify3(r, body) }
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
	if problem := verify(r); problem != nil {
		refuse(w, *problem)
		return
	}
	answer, problem := s.act(r, fault)
	if problem != nil {
		refuse(w, *problem)
		return
	}
	serve(w, answer, fault)
}

// serve writes an answer, changed by the fault that it meets.
func serve(w http.ResponseWriter, answer map[string]any, fault *fault) {
	text, _ := json.Marshal(answer)
	if fault != nil && fault.text != nil {
		text = fault.text(text)
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.Header().Set("X-Acs-Request-Id", requestID)
	if fault == nil || !fault.zip {
		_, _ = w.Write(text)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	zip := gzip.NewWriter(w)
	_, _ = zip.Write(text)
	_ = zip.Close()
}
