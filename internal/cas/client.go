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
	// RequestDone reports a request that ended, or could not be sent.
	RequestDone(r Request)
	// LimiterWaited reports how long a request waited for the rate limiter.
	LimiterWaited(waited time.Duration)
}

// Options configure a Client. Every field is required.
type Options struct {
	Endpoint          string            // scheme and host
	RegionID          string            // region of the API
	Transport         http.RoundTripper // see rpc.NewTransport
	Provider          Provider
	Observer          Observer
	RequestTimeout    time.Duration // of one HTTP request
	RequestsPerSecond float64       // of this process, fractions allowed
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
	breaker  *breaker
	actions  map[string]*breaker // of those that only bring details
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
		slots:   make(chan struct{}, o.Concurrency),
		breaker: newAccountBreaker(),
		actions: map[string]*breaker{
			"DescribeDeploymentJob": newActionBreaker(), "DescribeDeploymentJobStatus": newActionBreaker(), "ListDeploymentJobCert": newActionBreaker(),
		},
		// A burst of n lets n calls more through in some second than the rate says, and
		// the quota is counted by the second.
		limiter: rate.NewLimiter(rate.Limit(o.RequestsPerSecond), 1),
	}, nil
}

// Tick says that another interval begins: what fails is tried again.
func (c *Client) Tick() {
	c.breaker.tick()
	for _, b := range c.actions {
		b.tick()
	}
}

// call makes one call of an action, retrying what may be retried. decode runs
// once for each good answer and starts from nothing each time.
func (c *Client) call(ctx context.Context, action string, params map[string]string, decode func(io.Reader) error) error {
	for attempt := 1; ; attempt++ {
		pass, err := c.enter(ctx, action, params["JobId"])
		if err != nil {
			return err
		}
		err = c.attempt(ctx, pass, action, params, decode)
		repeated := err != nil && attempt < c.attempts && retryable(err) && !pass.probe()
		pass.leave(err, repeated)
		if err == nil {
			return nil
		}
		delay := backOff(attempt, err)
		if reason.Of(err) == reason.Throttled {
			c.pause.until(time.Now().Add(delay)) // for other calls, also after the last attempt of this one
		}
		if !repeated {
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

// enter passes the breakers that an action has.
func (c *Client) enter(ctx context.Context, action, job string) (passages, error) {
	account, err := c.breaker.enter(ctx, job)
	if err != nil {
		return nil, err
	}
	b, ok := c.actions[action]
	if !ok {
		return passages{account}, nil
	}
	only, err := b.enter(ctx, job)
	if err != nil {
		account.leave(context.Canceled, false) // it did not go
		return nil, err
	}
	account.silent = true // what is wrong with one action says nothing of the account
	return passages{account, only}, nil
}

// attempt sends one HTTP request when the limits allow it.
func (c *Client) attempt(ctx context.Context, pass passages, action string, params map[string]string, decode func(io.Reader) error) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return waitError(ctx)
	}
	cred, err := c.await(ctx)
	if err != nil {
		if reason.Of(err) == reason.Auth { // there are no credentials
			c.observer.RequestDone(newRequest(action, params, rpc.Answer{}, err))
		}
		return err
	}
	if err = pass.cause(); err != nil { // what happened meanwhile
		return err
	}
	start := time.Now()
	answer, err := c.rpc.Call(ctx, cred, action, params, decode)
	done := newRequest(action, params, answer, err)
	done.Sent, done.Took = true, time.Since(start)
	c.observer.RequestDone(done)
	if reason.Of(err) == reason.Auth {
		c.provider.Invalidate()
	}
	return err
}

// slow is how long credentials may take for a call to leave at the moment that the
// limiter gave it.
const slow = 100 * time.Millisecond

// await waits for the end of a pause and for the rate limiter, and returns credentials
// that are valid then. If those take long to come, others waited for them too: they
// must not leave together, so the limiter is asked again.
func (c *Client) await(ctx context.Context) (rpc.Credentials, error) {
	for {
		if err := c.limit(ctx); err != nil {
			return rpc.Credentials{}, err
		}
		start := time.Now()
		cred, err := c.provider.Credentials(ctx)
		if err != nil {
			return rpc.Credentials{}, credentialsError(ctx, err)
		}
		if time.Since(start) < slow {
			return cred, nil
		}
	}
}

// limit waits for the end of a pause and for the rate limiter.
func (c *Client) limit(ctx context.Context) error {
	start := time.Now()
	defer func() { c.observer.LimiterWaited(time.Since(start)) }()
	for {
		if err := c.pause.wait(ctx); err != nil {
			return err
		}
		if c.limiter.Wait(ctx) != nil {
			return waitError(ctx)
		}
		if c.pause.left() <= 0 { // another call may have been throttled meanwhile
			return nil
		}
	}
}
