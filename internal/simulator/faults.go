package simulator

import (
	"maps"
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
