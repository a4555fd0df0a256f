package credentials

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

const (
	// fetchTimeout bounds one fetch, whoever waits for it.
	fetchTimeout = 15 * time.Second
	// pause is the least time between two fetches.
	pause = 5 * time.Second
	// recheck is how long a key that was read from files is used before they are read again.
	recheck = time.Second
)

// Provider keeps the credentials of one source. It is safe for concurrent use.
type Provider struct {
	source source
	local  bool // the source costs nothing to ask, so it is asked often
	base   Options

	mu       sync.Mutex
	lease    lease
	fetched  time.Time     // when lease was fetched
	tried    time.Time     // when a fetch last began
	refused  bool          // the API refused the lease
	failure  error         // of the last fetch
	fetching chan struct{} // of the fetch under way, closed at its end
}

// Credentials returns credentials that are valid, fetching them if need be.
func (p *Provider) Credentials(ctx context.Context) (rpc.Credentials, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.due(now) {
		p.begin(now) //nolint:contextcheck // a fetch outlives the caller: others wait for it
	}
	usable := p.usable(now)
	if p.fetching == nil || usable && !p.local && !p.refused {
		return p.result(now)
	}
	var late <-chan time.Time // a source that hangs is waited for once, while there is something to use
	if usable {
		late = time.After(p.tried.Add(fetchTimeout).Sub(now))
	}
	if err := p.wait(ctx, late); err != nil {
		return rpc.Credentials{}, err
	}
	return p.result(time.Now())
}

// wait waits for the running fetch, without the lock.
func (p *Provider) wait(ctx context.Context, late <-chan time.Time) error {
	done := p.fetching
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-done:
	case <-late:
	case <-ctx.Done():
		return fmt.Errorf("the source has not answered: %w", ctx.Err())
	}
	return nil
}

// Invalidate says that the API refused what Credentials returned.
func (p *Provider) Invalidate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = true
}

// due reports whether a fetch should begin.
func (p *Provider) due(now time.Time) bool {
	switch {
	case p.fetching != nil:
		return false
	case p.local:
		return now.Sub(p.tried) >= recheck || p.refused
	case !p.tried.IsZero() && now.Sub(p.tried) < pause:
		return false
	case p.refused, p.fetched.IsZero():
		return true
	default:
		return !p.lease.expires.IsZero() && now.After(p.refreshAt())
	}
}

// refreshAt returns when a lease has a quarter of its time left, but not more
// than five minutes.
func (p *Provider) refreshAt() time.Time {
	return p.lease.expires.Add(-min(p.lease.expires.Sub(p.fetched)/4, 5*time.Minute))
}

// usable reports whether there are credentials that have not expired.
func (p *Provider) usable(now time.Time) bool {
	return !p.fetched.IsZero() && p.lease.valid(now)
}

func (p *Provider) result(now time.Time) (rpc.Credentials, error) {
	switch {
	case p.usable(now):
		return p.lease.cred, nil
	case p.failure != nil:
		return rpc.Credentials{}, p.failure
	default:
		return rpc.Credentials{}, errors.New("the credentials have expired")
	}
}

// begin starts a fetch that outlives the caller: others may wait for it.
func (p *Provider) begin(now time.Time) {
	done, refused := make(chan struct{}), p.refused
	p.fetching, p.tried = done, now
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		got, err := p.source.fetch(ctx, refused)
		p.mu.Lock()
		defer p.mu.Unlock()
		defer close(done)
		now := time.Now()
		switch {
		case err != nil:
		case got.cred.Empty():
			err = errors.New("the source gave no access key")
		case !got.valid(now):
			err = errors.New("the source gave credentials that have expired; is the clock right?")
		default:
			p.lease, p.fetched, p.refused = got, now, false
		}
		p.fetching, p.failure = nil, err
	}()
}
