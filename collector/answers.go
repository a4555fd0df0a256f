package collector

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// answers is a prometheus.Collector of what the last requests of an account were
// answered. Counters cannot say it: a textfile has no history to compare with.
type answers struct {
	up, skew, lastError *prometheus.Desc

	mu      sync.Mutex
	reached *float64 // 1 if the last request reached the API, else 0; nil before the first
	seconds *float64
	failed  map[string][]string // reason and code of the last error by action, until that succeeds
}

func newAnswers() *answers {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &answers{
		up:        desc("api_up", "Whether the CAS API answered the last request, without refusing the key or failing itself; absent before the first request."),
		skew:      desc("api_clock_skew_seconds", "Clock of the CAS API (Date of its answers) minus the clock of the exporter, as of the last answer."),
		lastError: desc("api_last_error_info", "Last error of an action of the CAS API, until the action succeeds; the value is 1.", "action", "reason", "code"),
		failed:    map[string][]string{},
	}
}

// take takes over the outcome of a request. One whose caller left has none.
func (a *answers) take(r cas.Request) {
	if errors.Is(r.Err, context.Canceled) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reached = new(reached(r))
	if r.Skew != nil {
		seconds := r.Skew.Seconds()
		a.seconds = &seconds
	}
	if r.Err == nil {
		delete(a.failed, r.Action)
		return
	}
	a.failed[r.Action] = []string{string(reason.Of(r.Err)), errorCode(r.Code)}
}

// reached returns 1 if a request reached the API, and the API can be used. What has
// neither an error code nor a request id was answered by something else.
func reached(r cas.Request) float64 {
	why := reason.Of(r.Err)
	switch {
	case why == reason.Auth, why == reason.Network, why == reason.Timeout, why == reason.ServerError:
		return 0
	case r.Err != nil && r.Code == "" && r.RequestID == "":
		return 0
	default:
		return 1
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
	if a.reached != nil {
		add(a.up, *a.reached)
	}
	if a.seconds != nil {
		add(a.skew, *a.seconds)
	}
	for action, why := range a.failed {
		add(a.lastError, 1, action, why[0], why[1])
	}
	return all
}
