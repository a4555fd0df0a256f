package collector

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// Metrics counts what the exporter itself does for one account. It is the
// cas.Observer of the account's client and its schedule.Observer.
type Metrics struct {
	requests  *prometheus.CounterVec
	refused   *prometheus.CounterVec
	durations *prometheus.HistogramVec
	waited    prometheus.Counter
	failures  *prometheus.CounterVec
	skipped   prometheus.Counter
	sent      map[string]*atomic.Int64 // requests by action
	answers   *answers
}

// actions returns the actions of the API that are in use.
func actions() []string {
	return []string{
		"ListWorkerResource", "ListDeploymentJob", "DescribeDeploymentJob",
		"DescribeDeploymentJobStatus", "ListDeploymentJobCert",
	}
}

// NewMetrics registers the metrics of an account, empty for the unnamed one, in a
// region, empty where there is one. Every series that can be known is present at 0
// from the start.
func NewMetrics(registry prometheus.Registerer, account, region string) *Metrics {
	labels := prometheus.Labels{}
	if account != "" {
		labels["account"] = account
	}
	if region != "" {
		labels["api_region"] = region
	}
	registry = prometheus.WrapRegistererWith(labels, registry)
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "api_requests_total",
			Help: "HTTP requests sent to the CAS API, retries included.",
		}, []string{"action"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "api_request_failures_total",
			Help: "HTTP requests to the CAS API that failed.",
		}, []string{"action", "reason"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "api_request_duration_seconds",
			Help:    "Time of one HTTP request to the CAS API, from signing to the last byte.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30},

			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"action"}),
		waited: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "api_rate_limit_wait_seconds_total",
			Help: "Time that requests waited for the exporter's own rate limiter, or for a pause that the API asked for.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "poll_failures_total",
			Help: "Polls of a job, and listings of jobs, that failed.",
		}, []string{"reason"}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "poll_skipped_total",
			Help: "Ticks at which jobs of the previous round were still waiting.",
		}),
		sent: map[string]*atomic.Int64{}, answers: newAnswers(),
	}
	registry.MustRegister(m.requests, m.refused, m.durations, m.waited, m.failures, m.skipped, m.answers)
	for _, action := range actions() {
		m.requests.WithLabelValues(action)
		m.durations.WithLabelValues(action)
		m.sent[action] = &atomic.Int64{}
		for _, r := range reason.All() {
			m.refused.WithLabelValues(action, string(r))
		}
	}
	for _, r := range reason.All() {
		m.failures.WithLabelValues(string(r))
	}
	return m
}

// RequestDone implements cas.Observer.
func (m *Metrics) RequestDone(r cas.Request) {
	m.answers.take(r)
	if !r.Sent {
		return
	}
	m.requests.WithLabelValues(r.Action).Inc()
	m.durations.WithLabelValues(r.Action).Observe(r.Took.Seconds())
	m.sent[r.Action].Add(1)
	if why := reason.Of(r.Err); why != "" {
		m.refused.WithLabelValues(r.Action, string(why)).Inc()
	}
}

// LimiterWaited implements cas.Observer.
func (m *Metrics) LimiterWaited(waited time.Duration) { m.waited.Add(waited.Seconds()) }

// PollFailed implements schedule.Observer.
func (m *Metrics) PollFailed(r reason.Reason) { m.failures.WithLabelValues(string(r)).Inc() }

// TicksSkipped implements schedule.Observer.
func (m *Metrics) TicksSkipped(n int) { m.skipped.Add(float64(n)) }

// RequestsByAction implements schedule.Observer.
func (m *Metrics) RequestsByAction() map[string]float64 {
	sent := make(map[string]float64, len(m.sent))
	for action, n := range m.sent {
		sent[action] = float64(n.Load())
	}
	return sent
}

// API returns the outcome of the account's last requests.
func (m *Metrics) API() API { return m.answers.current() }
