package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// requestLog is a cas.Observer that logs each request at level debug.
type requestLog struct{ log *slog.Logger }

// RequestDone implements cas.Observer.
func (l requestLog) RequestDone(r cas.Request) {
	if !l.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	args := []any{"action", r.Action}
	for _, known := range [][2]string{{"job_id", r.JobID}, {"page", r.Page}, {"code", r.Code}, {"request_id", r.RequestID}} {
		if known[1] != "" {
			args = append(args, known[0], known[1])
		}
	}
	outcome := string(reason.Of(r.Err))
	switch {
	case r.Err == nil:
		outcome = "ok"
	case errors.Is(r.Err, context.Canceled):
		outcome = "cancelled"
	}
	if !r.Sent {
		l.log.Debug("api request not sent: no credentials", append(args, "outcome", outcome)...)
		return
	}
	l.log.Debug("api request", append(args, "duration_seconds", r.Took.Seconds(), "outcome", outcome)...)
}

// LimiterWaited implements cas.Observer.
func (requestLog) LimiterWaited(time.Duration) {}

// loggedMetrics counts requests and logs them.
type loggedMetrics struct {
	*collector.Metrics
	requestLog
}

// RequestDone implements cas.Observer.
func (m loggedMetrics) RequestDone(r cas.Request) {
	m.Metrics.RequestDone(r)
	m.requestLog.RequestDone(r)
}

// LimiterWaited implements cas.Observer.
func (m loggedMetrics) LimiterWaited(waited time.Duration) { m.Metrics.LimiterWaited(waited) }
