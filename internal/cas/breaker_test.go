package cas_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// estate is an API that answers each job in its own way; "" is the listing.
type estate struct {
	latency time.Duration
	answers func(job, action string) (status int, body string, err error)

	mu             sync.Mutex
	requests       []string // the jobs that were asked about since the last tick
	inFlight, peak int
}

func (e *estate) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	e.mu.Lock()
	e.requests = append(e.requests, query.Get("JobId"))
	e.inFlight++
	e.peak = max(e.peak, e.inFlight)
	status, body, err := e.answers(query.Get("JobId"), query.Get("Action"))
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.inFlight--
		e.mu.Unlock()
	}()
	select {
	case <-time.After(e.latency):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// tick begins an interval, lets eight workers ask about n jobs, after the listing if so wanted, and
// returns the reason of each job, in order.
func (e *estate) tick(ctx context.Context, client *cas.Client, listing bool, n int) []reason.Reason {
	client.Tick()
	e.requests, e.peak = nil, 0
	if listing {
		_, _ = client.ListJobs(ctx, cas.JobQuery{Page: 1, Size: 50}, nil)
	}
	why := make([]reason.Reason, n)
	var all sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		all.Go(func() {
			for id := next.Add(1); id <= int64(n); id = next.Add(1) {
				_, err := client.ListWorkers(ctx, cas.WorkerQuery{JobID: id, Page: 1, Size: 50}, nil)
				why[id-1] = reason.Of(err)
			}
		})
		synctest.Wait() // so that jobs begin in order
	}
	all.Wait()
	return why
}

func (e *estate) client(t *testing.T) *cas.Client {
	t.Helper()
	return newClient(t, &api{}, func(o *cas.Options) { o.Transport = e })
}

// all reports whether each of the reasons is this one.
func all(why []reason.Reason, want reason.Reason) bool {
	return !slices.ContainsFunc(why, func(r reason.Reason) bool { return r != want })
}

var errReset = errors.New("connection reset by peer")

// TestARefusedKeyCostsOneRequestATick asks about 20 jobs. The tick at which a good key
// turns bad costs those that were on their way, and those that it takes to be sure.
func TestARefusedKeyCostsOneRequestATick(t *testing.T) {
	for _, listing := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			refused := true
			e := &estate{latency: time.Second, answers: func(string, string) (int, string, error) {
				if refused {
					return 404, refusal("InvalidAccessKeyId.NotFound"), nil
				}
				return 200, good, nil
			}}
			client := e.client(t)
			for i, test := range []struct {
				refused bool
				most    int
			}{{true, 1}, {true, 1}, {false, 21}, {false, 21}, {true, 7}, {true, 1}, {false, 21}} {
				refused = test.refused
				why := e.tick(t.Context(), client, listing, 20)
				if want := map[bool]reason.Reason{true: reason.Auth}[refused]; !all(why[2:], want) { // the last probes may be late
					t.Errorf("tick %d: %q, want %q for all", i, why, want)
				}
				if len(e.requests) > test.most {
					t.Errorf("tick %d: %d requests, want at most %d", i, len(e.requests), test.most)
				}
				if !refused && e.peak != 4 {
					t.Errorf("tick %d: %d requests at once, want 4", i, e.peak)
				}
			}
		})
	}
}

// TestBrokenJobsStopNoSoundOne has jobs that are broken by themselves, in the ways in
// which a whole API can be, before and between sound ones: those never fail, and wait for
// nothing but the limits.
func TestBrokenJobsStopNoSoundOne(t *testing.T) {
	endless := `{"Data":[` + strings.Repeat(" ", 17<<20)
	for name, broken := range map[string]func() (int, string, error){
		"dropped connections": func() (int, string, error) { return 0, "", errReset },
		"server errors":       func() (int, string, error) { return 500, refusal("InternalError"), nil },
		"endless answers":     func() (int, string, error) { return 200, endless, nil },
		"missing permissions": func() (int, string, error) { return 403, refusal("Forbidden.RAM"), nil },
	} {
		for _, every := range []int{2, 10} { // one in so many is sound
			t.Run(name+" but one in "+strconv.Itoa(every), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := &estate{latency: 50 * time.Millisecond, answers: func(job, _ string) (int, string, error) {
						if n, _ := strconv.Atoi(job); n%every != 0 {
							return broken()
						}
						return 200, good, nil
					}}
					client := e.client(t)
					for tick := range 2 {
						start := time.Now()
						for i, why := range e.tick(t.Context(), client, true, 20) {
							if sound := (i+1)%every == 0; sound && why != "" {
								t.Errorf("tick %d: the sound job %d failed as %s", tick, i+1, why)
							}
						}
						if took := time.Since(start); took > 10*time.Second {
							t.Errorf("tick %d took %v", tick, took)
						}
					}
				})
			})
		}
	}
}

// TestAnOutageCostsAFewRequestsATick takes the API of 200 jobs away, and gives it back.
func TestAnOutageCostsAFewRequestsATick(t *testing.T) {
	for _, listing := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			down := false
			e := &estate{answers: func(string, string) (int, string, error) {
				if down {
					return 0, "", errReset
				}
				return 200, good, nil
			}}
			client := e.client(t)
			e.tick(t.Context(), client, listing, 200)
			down = true
			e.tick(t.Context(), client, listing, 50) // what succeeded at the tick before speaks for the API
			for tick := range 5 {
				why := e.tick(t.Context(), client, listing, 200)
				most := 3
				if tick == 0 {
					most = 40 // those on their way, and their repetitions
				}
				if !all(why, reason.Network) || len(e.requests) > most {
					t.Errorf("tick %d: %d requests, want at most %d; all fail as network: %v", tick, len(e.requests), most, all(why, reason.Network))
				}
			}
			down = false
			if why := e.tick(t.Context(), client, listing, 200); !all(why[15:], "") || listing && !all(why, "") { // failed probes may be late
				t.Errorf("after the outage jobs fail: %q", slices.Compact(why))
			}
		})
	}
}

// TestProbesGoToEveryJob opens the breaker by broken jobs that come first, while the sound
// one waits behind: it is tried within a few ticks, also where the others are tried first.
func TestProbesGoToEveryJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &estate{answers: func(job, _ string) (int, string, error) {
			if job == "10" {
				return 200, good, nil
			}
			return 0, "", errReset
		}}
		client := e.client(t)
		e.tick(t.Context(), client, false, 9) // the sound job is not there yet
		for tick := range 5 {
			if why := e.tick(t.Context(), client, false, 10); why[9] == "" {
				t.Logf("after %d ticks", tick+1)
				return
			}
		}
		t.Error("the sound job was not tried in five ticks")
	})
}

// TestAMissingPermissionOfDetails costs a few requests a tick, for three jobs that are
// refused and any number, and none of another action.
func TestAMissingPermissionOfDetails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		granted := false
		e := &estate{answers: func(_, action string) (int, string, error) {
			if action == "ListDeploymentJobCert" && !granted {
				return 403, refusal("Forbidden.RAM"), nil
			}
			return 200, `{"Total":0,"Data":[],"WorkerCount":1}`, nil
		}}
		client := e.client(t)
		ask := func() (refused int) {
			client.Tick()
			for id := range int64(100) {
				if _, err := client.ListCertificates(t.Context(), id+1); err != nil {
					refused++
				}
				if _, err := client.CountJob(t.Context(), id+1); err != nil {
					t.Errorf("the counts of job %d: %v", id+1, err)
				}
			}
			return refused
		}
		for range 3 {
			e.requests = nil
			if refused, requests := ask(), len(e.requests); refused != 100 || requests != 103 {
				t.Errorf("%d calls failed, %d requests, want 100 and three beside those of the other action", refused, requests)
			}
		}
		granted = true
		if refused := ask(); refused > 9 { // failed probes may be late
			t.Errorf("%d calls failed after the permission was granted", refused)
		}
	})
}

// TestCredentialsThatComeSlowlyDoNotBunchCalls has a provider that takes ten seconds from
// time to time: the calls that waited for it leave one by one.
func TestCredentialsThatComeSlowlyDoNotBunchCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{latency: 10 * time.Millisecond, answer: func(int) (int, string, string) { return 200, "", good }}
		client := newClient(t, a, func(o *cas.Options) {
			o.RequestsPerSecond, o.Provider = 2, slowly{a, time.Now()}
		})
		if failed := together(t.Context(), client, 60); failed != 0 {
			t.Errorf("%d calls failed", failed)
		}
		if got := a.fullest(); got > 2 {
			t.Errorf("%d requests in a second, want at most 2", got)
		}
	})
}

// slowly gives credentials at once, but for ten seconds in each 20.
type slowly struct {
	cas.Provider
	start time.Time
}

func (s slowly) Credentials(ctx context.Context) (rpc.Credentials, error) {
	if phase := time.Since(s.start) % (20 * time.Second); phase > 10*time.Second {
		time.Sleep(20*time.Second - phase)
	}
	return s.Provider.Credentials(ctx)
}
