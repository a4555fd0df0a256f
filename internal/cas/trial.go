package cas

import (
	"context"
	"sync/atomic"

	"aliyun_cas_exporter/internal/reason"
)

// trial lets calls through one by one until the API has accepted the credentials
// once: a key that is refused costs one call, not one for each that waits.
type trial struct {
	passed  atomic.Bool
	refusal atomic.Pointer[error] // the last one
	turn    chan struct{}         // of size 1
}

// enter returns when the caller may call, and whether it does so on trial; or the
// refusal of the call that it waited for.
func (t *trial) enter(ctx context.Context) (onTrial bool, err error) {
	if t.passed.Load() {
		return false, nil
	}
	before := t.refusal.Load()
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return false, waitError(ctx)
	}
	if t.passed.Load() {
		<-t.turn
		return false, nil
	}
	if refusal := t.refusal.Load(); refusal != before {
		<-t.turn
		return false, *refusal
	}
	return true, nil
}

// outcome is the reason of an attempt for a trial: a cancelled one has none to
// speak of, but did not succeed either.
func outcome(ctx context.Context, err error) reason.Reason {
	if err != nil && ctx.Err() != nil {
		return reason.Timeout
	}
	return reason.Of(err)
}

// leave ends a call and draws the conclusion from its outcome. One that never
// reached the API proves nothing.
func (t *trial) leave(onTrial bool, why reason.Reason, err error) {
	switch why {
	case reason.Auth:
		t.passed.Store(false)
		if !retryable(err) {
			t.refusal.Store(&err)
		}
	case "", reason.Forbidden, reason.NotFound, reason.BadRequest, reason.Decode:
		t.passed.Store(true)
	default: // nobody looked at the key
	}
	if onTrial {
		<-t.turn
	}
}
