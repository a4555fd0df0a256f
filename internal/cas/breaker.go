package cas

import (
	"context"
	"errors"
	"slices"
	"sync"

	"aliyun_cas_exporter/internal/reason"
)

// breaker stops calls that would fail like others before. While it is open, calls fail at
// once for the same reason. Each tick lets a few probes through, and one success closes
// it. A call during a probe waits for its outcome.
//
// It opens when the listing, or three different jobs, failed for a reason that is not the
// job's own. So a broken job never stops the others:
//
//   - Refused credentials open an account's breaker when nothing succeeded since the
//     first of these refusals.
//   - Silence (no answer, or none that helps) opens an account's breaker when nothing
//     succeeded since the tick before.
//   - Any failure opens the breaker of an action that only brings details when the
//     action did not succeed since the tick before.
type breaker struct {
	kindOf func(reason.Reason) kind

	mu      sync.Mutex
	open    bool
	cause   error           // why it is open; nil: the client is new, and its key not known to be good
	probes  int             // calls that may still go until the next tick
	flying  int             // probes under way
	landed  chan struct{}   // closed, and replaced, when a probe ends
	tried   map[string]bool // jobs whose probe failed since it opened
	left    bool            // a job that was not tried was turned away since the last tick
	failed  map[string]kind // jobs whose calls failed since the last success
	success bool            // since the last tick
	earlier bool            // between the two ticks before
}

// kind is what kind of cause made a call fail.
type kind int

const (
	ofTheCall kind = iota // the API answered, and there is nothing wrong with the account
	ofTheKey
	ofTheAPI
	unclear // nothing can be said
)

// enough is the number of different jobs that must fail to open a breaker, and that are
// probes while it is open.
const enough = 3

// newAccountBreaker returns a breaker that starts as if the key had been refused: the
// first call tests the key, and the others wait for it.
func newAccountBreaker() *breaker {
	b := newBreaker(func(r reason.Reason) kind {
		switch r {
		case reason.Auth:
			return ofTheKey
		case reason.Network, reason.Timeout, reason.ServerError:
			return ofTheAPI
		case reason.Throttled:
			return unclear
		default:
			return ofTheCall
		}
	})
	b.open, b.probes = true, 1
	return b
}

func newActionBreaker() *breaker {
	return newBreaker(func(r reason.Reason) kind {
		switch r {
		case "", reason.NotFound:
			return ofTheCall
		case reason.Throttled:
			return unclear
		default:
			return ofTheAPI
		}
	})
}

func newBreaker(kindOf func(reason.Reason) kind) *breaker {
	return &breaker{kindOf: kindOf, landed: make(chan struct{}), tried: map[string]bool{}, failed: map[string]kind{}}
}

// tick lets probes through if the breaker is open: one for a key, because any call tests
// it, else those of three jobs that were not tried.
func (b *breaker) tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.success, b.earlier = false, b.success
	if !b.left { // every job was tried
		clear(b.tried)
	}
	b.left = false
	b.probes = enough
	if b.kindOf(reason.Of(b.cause)) != ofTheAPI {
		b.probes = 1
	}
}

// enter returns when a call for a job may go, "" for the listing, or why it may not. A
// call that may go must leave.
func (b *breaker) enter(ctx context.Context, job string) (passage, error) {
	for {
		pass, landed, err := b.tryEnter(job)
		if landed == nil {
			return pass, err
		}
		select {
		case <-landed:
		case <-ctx.Done():
			return passage{}, waitError(ctx)
		}
	}
}

// tryEnter returns a channel if a probe must land before more can be said.
func (b *breaker) tryEnter(job string) (pass passage, landed chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return passage{breaker: b, job: job}, nil, nil
	case b.probes > 0 && !b.tried[job]:
		b.probes--
		b.flying++
		return passage{breaker: b, job: job, flying: true, probe: b.cause != nil}, nil, nil
	case b.flying > 0:
		return passage{}, b.landed, nil
	default:
		b.left = b.left || !b.tried[job]
		return passage{}, nil, b.cause
	}
}

// passage is a call that may go.
type passage struct {
	breaker *breaker
	job     string
	flying  bool
	probe   bool // of a cause that is known: it is not repeated
	silent  bool // its failure does not count, unless it flies
}

func (p passage) cause() error {
	p.breaker.mu.Lock()
	defer p.breaker.mu.Unlock()
	if p.breaker.open && !p.flying {
		return p.breaker.cause
	}
	return nil
}

// leave ends a call, or an attempt at it that will be repeated.
func (p passage) leave(err error, repeated bool) {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.flying {
		b.flying--
		close(b.landed)
		b.landed = make(chan struct{})
	}
	found, ended := b.kindOf(reason.Of(err)), ended(err)
	switch {
	case ended && !p.flying:
	case p.flying && (ended || repeated && found == ofTheKey || p.probe && found == unclear):
		b.probes++
	case found == ofTheCall:
		b.close()
		b.success = true
	case p.probe:
		b.cause = err
		if p.job != "" {
			b.tried[p.job] = true
		}
	case p.flying && found == ofTheKey:
		b.cause = err
	case p.flying: // nothing is known against the key
		b.close()
		fallthrough
	default:
		if !repeated && !p.silent && !b.open && found != unclear {
			b.count(p.job, found, err)
		}
	}
}

// ended reports whether a call failed because its caller's context ended.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || reason.Of(err) == reason.Timeout && errors.Is(err, context.DeadlineExceeded)
}

func (b *breaker) close() {
	b.open, b.cause = false, nil
	clear(b.failed)
	clear(b.tried)
}

// count counts a failed call, and opens the breaker if it is enough.
func (b *breaker) count(job string, found kind, err error) {
	b.failed[job] = found
	same := 0
	for _, k := range b.failed {
		if k == found {
			same++
		}
	}
	lately := b.success || b.earlier
	if (job == "" || same >= enough) && (found == ofTheKey || !lately) {
		b.open, b.cause, b.probes = true, err, 0
	}
}

// passages are a call that passed several breakers.
type passages []passage

func (ps passages) probe() bool {
	return slices.ContainsFunc(ps, func(p passage) bool { return p.probe })
}

// cause returns an error if a breaker opened after the call had passed it.
func (ps passages) cause() error {
	for _, p := range ps {
		if err := p.cause(); err != nil {
			return err
		}
	}
	return nil
}

func (ps passages) leave(err error, repeated bool) {
	for _, p := range ps {
		p.leave(err, repeated)
	}
}
