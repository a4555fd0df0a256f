package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"
)

// The credentials that the simulator takes unless told otherwise.
const (
	DemoAccessKeyID     = "DEMO-ACCESS-KEY-ID"
	DemoAccessKeySecret = "DEMO-ACCESS-KEY-SECRET"
)

// Options configure a Simulator; the zero value is usable.
type Options struct {
	// Now is the service's clock; time.Now if nil.
	Now func() time.Time
	// AccessKeyID and AccessKeySecret are the accepted key, the demo key if empty.
	// SecurityToken is required with it unless empty.
	AccessKeyID, AccessKeySecret, SecurityToken string
	// Latency passes before every answer.
	Latency time.Duration
	// MaxShowSize, if not 0, is the largest page that is served.
	MaxShowSize int
	// OrderByModified lists workers by their last change instead of by id, so that
	// rows move between pages while they change.
	OrderByModified bool
}

// Simulator is a CAS with one account. It is safe for concurrent use.
type Simulator struct {
	options Options
	stats   stats
	faults  injected
	nonces  nonces

	mu      sync.Mutex
	key     key
	jobs    map[int64]*estate
	sorted  []*estate // the same, the newest first; nil when that changed
	quota   [2]int
	hook    func(Call)
	advance func(s *Simulator, now time.Time) // moves the demo estate
}

// New returns a Simulator without jobs.
func New(o Options) *Simulator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AccessKeyID == "" {
		o.AccessKeyID, o.AccessKeySecret = DemoAccessKeyID, DemoAccessKeySecret
	}
	return &Simulator{
		options: o, key: key{o.AccessKeyID, o.AccessKeySecret, o.SecurityToken},
		jobs: map[int64]*estate{}, nonces: nonces{seen: map[string]time.Time{}}, quota: [2]int{100, 0},
	}
}

// SetCredentials replaces the accepted key, as a rotation does.
func (s *Simulator) SetCredentials(id, secret, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key{id, secret, token}
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
