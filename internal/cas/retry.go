package cas

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/reason"
)

const (
	backOffBase = 500 * time.Millisecond
	backOffCap  = 30 * time.Second
)

// retryable reports whether the same call may succeed if it is repeated. A used nonce is
// one such case: the next attempt has a new one.
func retryable(err error) bool {
	var refused *rpc.Error
	switch reason.Of(err) {
	case reason.ServerError, reason.Network:
		return true
	case reason.Throttled:
		return errors.As(err, &refused) // else it is a pause that is too long to wait for
	case reason.Timeout:
		return !errors.Is(err, context.DeadlineExceeded) // then it was the poll's own
	case reason.Auth:
		return errors.As(err, &refused) && refused.Code == "SignatureNonceUsed"
	default:
		return false
	}
}

// backOff returns how long to wait after an attempt, the first being 1: a random
// part of an exponentially growing bound, on top of what the server asks for.
func backOff(attempt int, err error) time.Duration {
	bound := min(backOffCap, backOffBase<<min(attempt-1, 16))
	var refused *rpc.Error
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		return refused.RetryAfter + rand.N(backOffBase)
	}
	return rand.N(bound)
}

// sleep waits; false at once when the wait would outlast the context, or as soon
// as it ends.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// pause stops all calls of an account for a while after one was throttled, because they
// share a quota.
type pause struct {
	mu  sync.Mutex
	end time.Time
}

func (p *pause) until(end time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if end.After(p.end) {
		p.end = end
	}
}

// left returns how long the pause still lasts; not above 0 if there is none.
func (p *pause) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.end)
}

// wait returns when the pause is over, or fails as throttled when it is longer
// than the context lasts.
func (p *pause) wait(ctx context.Context) error {
	for {
		left := p.left()
		if left <= 0 {
			return nil
		}
		if !sleep(ctx, left) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return waitError(ctx)
			}
			return reason.Errorf(reason.Throttled, "the API asked to wait %v, longer than this poll may take", left.Round(time.Second))
		}
	}
}

// waitError is the error of a call that could not be made before its context ended.
func waitError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("waiting to call: %w", context.Canceled)
	}
	return fmt.Errorf("waiting to call: %w", context.DeadlineExceeded)
}

// credentialsError gives a provider's error the reason auth, unless the caller's context
// ended.
func credentialsError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return waitError(ctx)
	}
	return reason.Errorf(reason.Auth, "no credentials: %w", err)
}
