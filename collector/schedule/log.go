package schedule

import (
	"log/slog"
	"time"
)

// Only changes are logged, so a healthy day takes a dozen lines.

// logPoll logs the outcome of a job's poll if it differs from the previous one.
func logPoll(log *slog.Logger, before, v *View) {
	log = log.With("job_id", v.ID)
	switch {
	case v.Up && !before.Polled:
		log.Debug("job read", "workers", v.Snapshot.Workers)
	case v.Up && !before.Up:
		log.Info("job recovered", "workers", v.Snapshot.Workers, "failed_seconds", time.Since(before.Since).Seconds())
	case !v.Up && (before.Up || before.Failure != v.Failure):
		args := []any{"reason", v.Failure, "err", v.Error}
		if v.Snapshot != nil {
			args = append(args, "served_age_seconds", time.Since(v.Success).Seconds())
		}
		log.Warn("poll of job failed", args...)
	}
}

// logListing logs the outcome of a listing if it differs from the previous one.
func logListing(log *slog.Logger, before, l Listing, watched int) {
	switch {
	case l.Up && !before.Up:
		log.Info("discovery succeeded", "watched", watched)
	case !l.Up && (before.Up || before.Failure != l.Failure):
		log.Warn("discovery failed, keeping the last list", "reason", l.Failure, "err", l.Error, "watched", watched)
	}
}
