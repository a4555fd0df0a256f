package cas

import (
	"context"
	"sync/atomic"

	"aliyun_cas_exporter/internal/cas/reason"
)

// trial lets calls through one by one until the API has accepted the credentials
// once: a key that is refused costs one call, not one for each that waits.
type trial struct {
	passed atomic.Bool
	turn   chan struct{} // of size 1
}

// enter returns when the caller may call, and whether it does so on trial.
func (t *trial) enter(ctx context.Context) (onTrial bool, err error) {
	if t.passed.Load() {
		return false, nil
	}
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return false, waitError(ctx)
	}
	if t.passed.Load() {
		<-t.turn
		return false, nil
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
func (t *trial) leave(onTrial bool, why reason.Reason) {
	switch why {
	case reason.Auth:
		t.passed.Store(false)
	case "", reason.Forbidden, reason.NotFound, reason.BadRequest, reason.Decode:
		t.passed.Store(true)
	default: // nobody looked at the key
	}
	if onTrial {
		<-t.turn
	}
}
