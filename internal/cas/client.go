package cas

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/reason"
)

// apiVersion is the version of the CAS API that this package speaks.
const apiVersion = "2020-04-07"

// Provider supplies credentials. Its methods are safe for concurrent use.
type Provider interface {
	// Credentials returns credentials that are valid at this moment, or an error
	// that holds no secret.
	Credentials(ctx context.Context) (rpc.Credentials, error)
	// Invalidate says that the API refused what Credentials returned.
	Invalidate()
}

// Observer learns what a Client does. Its methods are called concurrently and
// must not block.
type Observer interface {
	// RequestDone reports an HTTP request: its action, how long it took, and why
	// it failed, empty if it did not.
	RequestDone(action string, took time.Duration, r reason.Reason)
	// LimiterWaited reports how long a request waited for the rate limiter.
	LimiterWaited(waited time.Duration)
}

// Options configure a Client. Every field is required but Shard and TotalShards.
type Options struct {
	Endpoint          string            // scheme and host
	RegionID          string            // region of the API
	Transport         http.RoundTripper // see rpc.NewTransport
	Provider          Provider
	Observer          Observer
	RequestTimeout    time.Duration // of one HTTP request
	RequestsPerSecond float64       // of the account, fractions allowed
	Shard             int           // of TotalShards processes that share RequestsPerSecond, from 0
	TotalShards       int           // 0 means 1
	Concurrency       int           // requests in flight
	MaxAttempts       int           // HTTP requests for one call
	UserAgent         string
}

// Client reads one account. It is safe for concurrent use.
type Client struct {
	rpc      *rpc.Client
	provider Provider
	observer Observer
	attempts int
	slots    chan struct{}
	limiter  *rate.Limiter
	share    share
	trial    trial
	pause    pause
	decoders decoders
}

// New returns a Client, or an error when the endpoint cannot be used.
func New(o Options) (*Client, error) {
	caller, err := rpc.New(rpc.Options{
		Endpoint: o.Endpoint, Version: apiVersion, RegionID: o.RegionID,
		Transport: o.Transport, Timeout: o.RequestTimeout, UserAgent: o.UserAgent,
	})
	if err != nil {
		return nil, err
	}
	return &Client{
		rpc: caller, provider: o.Provider, observer: o.Observer, attempts: o.MaxAttempts,
		slots: make(chan struct{}, o.Concurrency),
		trial: trial{turn: make(chan struct{}, 1)},
		// A burst of n lets n calls more through in some second than the rate says, and
		// the quota is counted by the second.
		limiter: rate.NewLimiter(rate.Limit(o.RequestsPerSecond/float64(max(1, o.TotalShards))), 1),
		share:   newShare(o),
	}, nil
}

// call makes one call of an action, retrying what may be retried. decode runs
// once for each good answer and starts from nothing each time.
func (c *Client) call(ctx context.Context, action string, params map[string]string, decode func(io.Reader) error) error {
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx, action, params, decode)
		if err == nil {
			return nil
		}
		delay := backOff(attempt, err)
		if reason.Of(err) == reason.Throttled {
			c.pause.until(time.Now().Add(delay)) // for other calls, also after the last attempt of this one
		}
		if attempt >= c.attempts || !retryable(err) {
			return err
		}
		if !sleep(ctx, delay) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return waitError(ctx)
			}
			return err // the last failure says more than the deadline does
		}
	}
}

// attempt sends one HTTP request, in its turn.
func (c *Client) attempt(ctx context.Context, action string, params map[string]string, decode func(io.Reader) error) (err error) {
	onTrial, err := c.trial.enter(ctx)
	if err != nil {
		return err
	}
	defer func() { c.trial.leave(onTrial, outcome(ctx, err), err) }()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return waitError(ctx)
	}
	// Credentials can take long to come, so they come before the turn; the turn can
	// take longer than they last, so they are asked for again.
	if _, err = c.provider.Credentials(ctx); err != nil {
		return credentialsError(ctx, err)
	}
	if err = c.turn(ctx); err != nil {
		return err
	}
	cred, err := c.provider.Credentials(ctx)
	if err != nil {
		return credentialsError(ctx, err)
	}
	start := time.Now()
	err = c.rpc.Call(ctx, cred, action, params, decode)
	why := reason.Of(err)
	c.observer.RequestDone(action, time.Since(start), why)
	if why == reason.Auth {
		c.provider.Invalidate()
	}
	return err
}

// turn waits for the end of a pause, the rate limiter and the process's slot.
func (c *Client) turn(ctx context.Context) error {
	start := time.Now()
	defer func() { c.observer.LimiterWaited(time.Since(start)) }()
	for {
		if err := c.pause.wait(ctx); err != nil {
			return err
		}
		if c.limiter.Wait(ctx) != nil || !sleep(ctx, c.share.wait(time.Now())) {
			return waitError(ctx)
		}
		if c.pause.left() <= 0 { // another call may have been throttled meanwhile
			return nil
		}
	}
}
