package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// Match says which calls a fault meets. Zero fields match all.
type Match struct {
	Action string
	JobID  int64
	Page   int
	Skip   int // that many matching calls pass first
	Times  int // that many are met; 0: until ClearFaults
}

// fault is what a call meets.
type fault struct {
	does    string                      // one line
	answer  http.Handler                // answers instead, before anything is verified
	request func(url.Values) url.Values // changes what is asked
	change  func(map[string]any)        // changes the answer
	text    func([]byte) []byte         // changes the answer's text
	zip     bool                        // compresses the answer
}

// injected are the faults in force.
type injected struct {
	mu   sync.Mutex
	list []*injection
}

type injection struct {
	fault fault
	match Match
	met   int
}

// FaultNames returns the names that Inject takes, sorted.
func FaultNames() []string {
	var names []string
	for name := range faults() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// DescribeFault returns what the named fault does, in one line.
func DescribeFault(name string) string { return faults()[name].does }

// Inject makes the calls that match meet the named fault.
func (s *Simulator) Inject(name string, match Match) error {
	f, ok := faults()[name]
	if !ok {
		return fmt.Errorf("no fault is called %q", name)
	}
	s.faults.add(f, match)
	return nil
}

// InjectHandler makes the calls that match be answered by a handler.
func (s *Simulator) InjectHandler(h http.Handler, match Match) {
	s.faults.add(fault{answer: h}, match)
}

// ClearFaults ends all faults.
func (s *Simulator) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

func (i *injected) add(f fault, match Match) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.list = append(i.list, &injection{fault: f, match: match})
}

// take returns the first fault that the call meets, if any.
func (i *injected) take(call Call) *fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, in := range i.list {
		m := in.match
		if m.Action != "" && m.Action != call.Action || m.JobID != 0 && m.JobID != call.JobID || m.Page != 0 && m.Page != call.Page {
			continue
		}
		if m.Times > 0 && in.met >= m.Skip+m.Times {
			continue
		}
		if in.met++; in.met > m.Skip {
			return &in.fault
		}
	}
	return nil
}

// faults returns all faults by name.
func faults() map[string]fault {
	all := map[string]fault{}
	for _, group := range []map[string]fault{refusals(), broken(), pages(), rows()} {
		maps.Copy(all, group)
	}
	return all
}

// refusing answers with an error body.
func refusing(does string, status int, code string, header ...string) fault {
	return fault{does: does, answer: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		refuse(w, refusal{status, code, "Injected: " + does})
	})}
}

// raw answers with a text.
func raw(does string, status int, contentType, text string) fault {
	return fault{does: does, answer: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	})}
}
