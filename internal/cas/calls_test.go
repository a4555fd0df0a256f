package cas_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// api answers requests, and is the provider and observer of a client too.
type api struct {
	answer  func(n int) (status int, hint, body string) // of the n-th request, from 1
	latency time.Duration
	missing error // instead of credentials

	mu             sync.Mutex
	sent           []time.Time
	inFlight, peak int
	reasons        []reason.Reason
	done           []cas.Request
	waited         time.Duration
	invalidated    int
}

const good = `{"Total":0,"Data":[]}`

func refusal(code string) string { return fmt.Sprintf(`{"Code":%q,"Message":"no"}`, code) }

// RoundTrip implements http.RoundTripper.
func (a *api) RoundTrip(*http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.sent = append(a.sent, time.Now())
	n := len(a.sent)
	a.inFlight++
	a.peak = max(a.peak, a.inFlight)
	a.mu.Unlock()
	time.Sleep(a.latency)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight--
	status, hint, body := a.answer(n)
	return &http.Response{
		StatusCode: status, Header: http.Header{"X-Acs-Retry-After": {hint}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// RequestDone implements cas.Observer.
func (a *api) RequestDone(r cas.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, r)
	if r.Sent {
		a.reasons = append(a.reasons, reason.Of(r.Err))
	}
}

// LimiterWaited implements cas.Observer.
func (a *api) LimiterWaited(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waited += d
}

// Credentials implements cas.Provider.
func (a *api) Credentials(context.Context) (rpc.Credentials, error) {
	return rpc.NewCredentials("id", "secret", ""), a.missing
}

// Invalidate implements cas.Provider.
func (a *api) Invalidate() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.invalidated++
}

// fullest returns the most requests that began within one second, less what the
// limiter rounds.
func (a *api) fullest() int {
	most := 0
	for i, start := range a.sent {
		within := slices.IndexFunc(a.sent[i:], func(at time.Time) bool { return at.Sub(start) >= time.Second-time.Millisecond })
		if within < 0 {
			within = len(a.sent) - i
		}
		most = max(most, within)
	}
	return most
}

// newClient returns a client that nothing holds back; change may alter its options.
func newClient(t *testing.T, a *api, change func(*cas.Options)) *cas.Client {
	t.Helper()
	o := cas.Options{
		Endpoint: "https://cas.aliyuncs.com", RegionID: "cn-hangzhou", Transport: a, Provider: a, Observer: a,
		RequestTimeout: 15 * time.Second, RequestsPerSecond: 1e9, Concurrency: 4, MaxAttempts: 4, UserAgent: "test",
	}
	if change != nil {
		change(&o)
	}
	client, err := cas.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func call(ctx context.Context, client *cas.Client) error {
	_, err := client.ListWorkers(ctx, cas.WorkerQuery{JobID: 8888, Page: 1, Size: 50}, nil)
	return err
}

// together makes so many calls at once and returns how many failed.
func together(ctx context.Context, client *cas.Client, calls int) int {
	var all sync.WaitGroup
	errs := make([]error, calls)
	for i := range calls {
		all.Go(func() { errs[i] = call(ctx, client) })
	}
	all.Wait()
	return len(slices.DeleteFunc(errs, func(err error) bool { return err == nil }))
}

// TestRetries pins for each kind of failure how many requests a call costs, and the
// bounds of the pauses between them, all of which they use.
func TestRetries(t *testing.T) {
	jitter := [][2]time.Duration{{0, 500 * time.Millisecond}, {0, time.Second}, {0, 2 * time.Second}}
	hinted := func(hint time.Duration) [][2]time.Duration {
		return slices.Repeat([][2]time.Duration{{hint, hint + 500*time.Millisecond}}, 3)
	}
	for name, test := range map[string]struct {
		status     int
		hint, body string
		pauses     [][2]time.Duration
		want       reason.Reason
	}{
		"throttled":         {400, "", refusal("Throttling.User"), jitter, reason.Throttled},
		"throttled, hint":   {429, "7000", refusal("Throttling.User"), hinted(7 * time.Second), reason.Throttled},
		"server error":      {503, "", refusal("ServiceUnavailable"), jitter, reason.ServerError},
		"server error, 200": {200, "", refusal("InternalError"), jitter, reason.ServerError},
		"server error hint": {500, "2500", refusal("InternalError"), hinted(2500 * time.Millisecond), reason.Throttled},
		"nonce used":        {400, "", refusal("SignatureNonceUsed"), jitter, reason.Auth},
		"auth":              {403, "", refusal("InvalidSecurityToken.Expired"), nil, reason.Auth},
		"forbidden":         {403, "0", refusal("Forbidden.RAM"), nil, reason.Forbidden},
		"forbidden, hint":   {403, "3000", refusal("Forbidden.RAM"), hinted(3 * time.Second), reason.Throttled},
		"bad request":       {400, "", refusal("InvalidParameter"), nil, reason.BadRequest},
		"not found":         {404, "", refusal("NotFound"), nil, reason.NotFound},
		"decode":            {200, "", "<html>", nil, reason.Decode},
		"success":           {200, "9", good, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			shortest, longest := slices.Repeat([]time.Duration{time.Hour}, len(test.pauses)), make([]time.Duration, len(test.pauses))
			rounds := 1
			if test.pauses != nil {
				rounds = 50 // they are random
			}
			for range rounds {
				synctest.Test(t, func(t *testing.T) {
					a := &api{answer: func(int) (int, string, string) { return test.status, test.hint, test.body }}
					if got := reason.Of(call(t.Context(), newClient(t, a, nil))); got != test.want {
						t.Errorf("got %q, want %q", got, test.want)
					}
					if len(a.sent) != len(test.pauses)+1 {
						t.Fatalf("%d requests, want %d", len(a.sent), len(test.pauses)+1)
					}
					for i, bounds := range test.pauses {
						got := a.sent[i+1].Sub(a.sent[i])
						if got < bounds[0] || got > bounds[1] {
							t.Errorf("pause %d: %v, want %v to %v", i+1, got, bounds[0], bounds[1])
						}
						shortest[i], longest[i] = min(shortest[i], got), max(longest[i], got)
					}
					for _, why := range a.reasons {
						if why != test.want {
							t.Errorf("observed %q, want %q", why, test.want)
						}
					}
					if want := map[bool]int{true: len(a.sent)}[test.want == reason.Auth]; a.invalidated != want || len(a.reasons) != len(a.sent) {
						t.Errorf("%d times invalidated, want %d; %d requests observed of %d", a.invalidated, want, len(a.reasons), len(a.sent))
					}
				})
			}
			for i, bounds := range test.pauses { // callers that failed together must not come back together
				if third := (bounds[1] - bounds[0]) / 3; shortest[i] > bounds[0]+third || longest[i] < bounds[1]-third {
					t.Errorf("pause %d: %v to %v, want all of %v to %v", i+1, shortest[i], longest[i], bounds[0], bounds[1])
				}
			}
		})
	}
}

// TestBackOffIsCapped lets a call fail twenty times: no pause is longer than half a
// minute, and the later ones use that room.
func TestBackOffIsCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{answer: func(int) (int, string, string) { return 500, "", refusal("InternalError") }}
		_ = call(t.Context(), newClient(t, a, func(o *cas.Options) { o.MaxAttempts = 60 }))
		longest := time.Duration(0)
		for i := range len(a.sent) - 1 {
			longest = max(longest, a.sent[i+1].Sub(a.sent[i]))
		}
		if longest > 30*time.Second || longest < 20*time.Second {
			t.Errorf("the longest of %d pauses is %v, want nearly 30 s", len(a.sent)-1, longest)
		}
	})
}

// TestRateIsNeverExceeded makes calls of which every other fails and is repeated: no
// second sees more requests than configured, and the rate is used.
func TestRateIsNeverExceeded(t *testing.T) {
	for _, test := range []struct {
		rate  float64
		calls int
	}{{5, 100}, {1, 20}, {.25, 10}, {0.0125, 3}, {40, 400}} {
		t.Run(fmt.Sprint(test.rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &api{latency: 50 * time.Millisecond, answer: func(n int) (int, string, string) {
					if n%2 == 0 {
						return 503, "", refusal("ServiceUnavailable")
					}
					return 200, "", good
				}}
				start := time.Now()
				client := newClient(t, a, func(o *cas.Options) { o.RequestsPerSecond, o.Concurrency, o.MaxAttempts = test.rate, 8, 20 })
				if failed := together(t.Context(), client, test.calls); failed != 0 {
					t.Errorf("%d calls failed", failed)
				}
				if got, most := a.fullest(), max(1, int(test.rate)); got > most {
					t.Errorf("%d requests in a second, want at most %d", got, most)
				}
				for i := range len(a.sent) - 1 {
					if got := a.sent[i+1].Sub(a.sent[i]); got < time.Duration(.999*float64(time.Second)/test.rate) {
						t.Fatalf("two requests within %v", got)
					}
				}
				due := time.Duration(float64(test.calls) / test.rate * float64(time.Second))
				if took := a.sent[test.calls-1].Sub(start); took > due {
					t.Errorf("the first %d requests took %v, want at most %v", test.calls, took, due)
				}
				if a.waited == 0 {
					t.Error("no wait was observed")
				}
			})
		})
	}
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{latency: time.Second, answer: func(int) (int, string, string) { return 200, "", good }}
		client := newClient(t, a, nil)
		if failed := together(t.Context(), client, 41); failed != 0 || a.peak != 4 {
			t.Errorf("%d failed, %d requests in flight, want none and 4", failed, a.peak)
		}
	})
}

// TestThrottlingHoldsEveryCallBack throttles one of many calls: until the time that
// the API asked for has passed, none is made, also none that waited for its turn.
func TestThrottlingHoldsEveryCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{latency: 100 * time.Millisecond, answer: func(n int) (int, string, string) {
			if n == 10 {
				return 429, "60000", refusal("Throttling.User")
			}
			return 200, "", good
		}}
		client := newClient(t, a, func(o *cas.Options) { o.RequestsPerSecond = 20 })
		if failed := together(t.Context(), client, 50); failed != 0 {
			t.Errorf("%d calls failed", failed)
		}
		told := a.sent[9].Add(a.latency)
		for i, at := range a.sent {
			if since := at.Sub(told); since > 0 && since < time.Minute {
				t.Errorf("request %d is sent %v after a hint to wait a minute", i+1, since)
			}
		}
		if got := a.fullest(); got > 20 {
			t.Errorf("%d requests in a second after the wait, want at most 20", got)
		}
	})
}

// TestDeadlines ends calls at once that cannot end in time, with the reason that
// says most.
func TestDeadlines(t *testing.T) {
	for name, test := range map[string]struct {
		hint   string
		change func(*cas.Options)
		warm   int // calls before the one that counts
		want   reason.Reason
		most   time.Duration
	}{
		"hint beyond the deadline": {hint: "300000", want: reason.Throttled},
		"others' pause beyond it":  {hint: "300000", warm: 1, want: reason.Throttled},
		"limiter beyond it":        {change: func(o *cas.Options) { o.RequestsPerSecond = .001 }, warm: 1, want: reason.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &api{answer: func(int) (int, string, string) {
					if test.hint != "" {
						return 429, test.hint, refusal("Throttling.User")
					}
					return 200, "", good
				}}
				client := newClient(t, a, test.change)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for range test.warm {
					_ = call(ctx, client)
				}
				start := time.Now()
				if got := reason.Of(call(ctx, client)); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestCancellationEndsEveryWait cancels calls that wait for a slot, the limiter, a
// pause or a retry.
func TestCancellationEndsEveryWait(t *testing.T) {
	for name, change := range map[string]func(*cas.Options){
		"slot": nil, "limiter": func(o *cas.Options) { o.RequestsPerSecond, o.Concurrency = .001, 50 },
	} {
		for _, hint := range []string{"", "300000"} {
			t.Run(name+hint, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := &api{latency: time.Second, answer: func(int) (int, string, string) { return 429, hint, refusal("Throttling.User") }}
					client := newClient(t, a, change)
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(2*time.Second, cancel)
					start := time.Now()
					if failed := together(ctx, client, 50); failed != 50 {
						t.Errorf("%d calls failed, want all", failed)
					}
					if took := time.Since(start); took > 3*time.Second {
						t.Errorf("it took %v", took)
					}
					if err := call(ctx, client); !errors.Is(err, context.Canceled) || reason.Of(err) != "" {
						t.Errorf("got %v, want a cancellation without a reason", err)
					}
				})
			})
		}
	}
}

// TestCancellationHidesWhatIsRepeated cancels a call between two attempts: the caller is
// told of its own end, which is no failure, not of the last attempt's.
func TestCancellationHidesWhatIsRepeated(t *testing.T) {
	for _, code := range []string{"ServiceUnavailable", "Throttling.User"} {
		synctest.Test(t, func(t *testing.T) {
			a := &api{answer: func(int) (int, string, string) { return 503, "60000", refusal(code) }}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if err := call(ctx, newClient(t, a, nil)); !errors.Is(err, context.Canceled) || len(a.sent) != 1 {
				t.Errorf("%s: got %v after %d requests, want the cancellation after one", code, err, len(a.sent))
			}
		})
	}
}

func TestMissingCredentialsCostNoRequest(t *testing.T) {
	a := &api{missing: errors.New("the file is gone"), answer: func(int) (int, string, string) { return 200, "", good }}
	err := call(t.Context(), newClient(t, a, nil))
	if reason.Of(err) != reason.Auth || !strings.Contains(err.Error(), "the file is gone") || len(a.sent) != 0 {
		t.Errorf("got %v after %d requests, want auth after none", err, len(a.sent))
	}
}

// TestParameters pins what is asked for.
func TestParameters(t *testing.T) {
	for name, test := range map[string]struct {
		ask  func(*cas.Client) error
		want map[string]string
	}{
		"workers": {func(c *cas.Client) error {
			_, err := c.ListWorkers(t.Context(), cas.WorkerQuery{JobID: 8888, Status: "error", CloudProduct: "SLB", Page: 3, Size: 20}, nil)
			return err
		}, map[string]string{"Action": "ListWorkerResource", "JobId": "8888", "Status": "error", "CloudProduct": "SLB", "CurrentPage": "3", "ShowSize": "20"}},
		"jobs": {func(c *cas.Client) error {
			_, err := c.ListJobs(t.Context(), cas.JobQuery{JobType: "user", Page: 1, Size: 50}, nil)
			return err
		}, map[string]string{"Action": "ListDeploymentJob", "JobType": "user", "CurrentPage": "1", "ShowSize": "50"}},
		"certificates": {func(c *cas.Client) error {
			_, err := c.ListCertificates(t.Context(), 7)
			return err
		}, map[string]string{"Action": "ListDeploymentJobCert", "JobId": "7"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			client := newClient(t, &api{}, func(o *cas.Options) {
				o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					for name, values := range r.URL.Query() {
						got[name] = strings.Join(values, "|")
					}
					return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(good))}, nil
				})
			})
			if err := test.ask(client); err != nil {
				t.Fatal(err)
			}
			for _, common := range []string{"AccessKeyId", "Signature", "SignatureMethod", "SignatureNonce", "SignatureType", "SignatureVersion", "Timestamp"} {
				delete(got, common)
			}
			test.want["Format"], test.want["RegionId"], test.want["Version"] = "JSON", "cn-hangzhou", "2020-04-07"
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
