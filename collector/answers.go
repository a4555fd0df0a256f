package collector

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// answers is a prometheus.Collector of the outcome of an account's last requests.
// Counters cannot show it: a textfile has no history to compare with.
type answers struct {
	up, skew, lastError *prometheus.Desc

	mu      sync.Mutex
	state   API
	seconds *float64
}

// API is the outcome of the last requests of an account. The zero value means that
// there was none.
type API struct {
	Asked  bool       // a request has ended
	Up     bool       // the last one was answered by an API that can be used: aliyun_cas_api_up
	Since  time.Time  // when Up last changed
	Errors []APIError // of the actions whose last request failed, by action
}

// APIError is the last error of an action.
type APIError struct {
	Action string
	Reason reason.Reason
	Code   string    // bounded, and fit for a label; empty if no answer had one
	Since  time.Time // when the action first failed, as far as it did not succeed meanwhile
}

func newAnswers() *answers {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &answers{
		up:        desc("api_up", "Whether the CAS API answered the last request, without refusing the key or failing itself; absent before the first request."),
		skew:      desc("api_clock_skew_seconds", "Clock of the CAS API (Date of its answers) minus the clock of the exporter, as of the last answer."),
		lastError: desc("api_last_error_info", "Last error of an action of the CAS API, until the action succeeds; the value is 1.", "action", "reason", "code"),
	}
}

// take takes over the outcome of a request. One whose caller left has none.
func (a *answers) take(r cas.Request) {
	if errors.Is(r.Err, context.Canceled) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Skew != nil {
		seconds := r.Skew.Seconds()
		a.seconds = &seconds
	}
	now, s := time.Now(), &a.state
	if up := reached(r); up != s.Up || !s.Asked {
		s.Asked, s.Up, s.Since = true, up, now
	}
	i, failed := slices.BinarySearchFunc(s.Errors, r.Action, func(e APIError, action string) int { return cmp.Compare(e.Action, action) })
	switch {
	case r.Err == nil && failed:
		s.Errors = slices.Delete(s.Errors, i, i+1)
	case r.Err == nil:
	case failed:
		s.Errors[i].Reason, s.Errors[i].Code = reason.Of(r.Err), errorCode(r.Code)
	default:
		s.Errors = slices.Insert(s.Errors, i, APIError{r.Action, reason.Of(r.Err), errorCode(r.Code), now})
	}
}

// current returns the state of the API, for its caller to keep.
func (a *answers) current() API {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.state
	s.Errors = slices.Clone(s.Errors)
	return s
}

// reached reports whether a request reached the API, and the API can be used. What has
// neither an error code nor a request id was answered by something else.
func reached(r cas.Request) bool {
	switch reason.Of(r.Err) {
	case reason.Auth, reason.Network, reason.Timeout, reason.ServerError:
		return false
	default:
		return r.Err == nil || r.Code != "" || r.RequestID != ""
	}
}

// errorCode makes an error code fit for a label: whoever answers chooses it.
func errorCode(code string) string {
	return strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.ContainsRune("._-", c) {
			return c
		}
		return '_'
	}, code[:min(len(code), 64)])
}

// Describe implements prometheus.Collector.
func (a *answers) Describe(ch chan<- *prometheus.Desc) {
	ch <- a.up
	ch <- a.skew
	ch <- a.lastError
}

// Collect implements prometheus.Collector.
func (a *answers) Collect(ch chan<- prometheus.Metric) {
	for _, m := range a.metrics() {
		ch <- m
	}
}

// metrics holds the lock no longer than it takes: requests report under it.
func (a *answers) metrics() (all []prometheus.Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	add := func(desc *prometheus.Desc, value float64, labels ...string) {
		all = append(all, prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...))
	}
	if a.state.Asked {
		add(a.up, truth(a.state.Up))
	}
	if a.seconds != nil {
		add(a.skew, *a.seconds)
	}
	for _, e := range a.state.Errors {
		add(a.lastError, 1, e.Action, string(e.Reason), e.Code)
	}
	return all
}
