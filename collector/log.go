package collector

import "time"

// The poller logs what changed: a healthy day takes a dozen lines.

// logChange logs the outcome of a job's poll where it differs from the one before.
func (p *Poller) logChange(before, v *View) {
	log := p.options.Logger.With("job_id", v.ID)
	switch {
	case v.Up && !before.Polled:
		log.Debug("job is read", "workers", v.snapshot.workers)
	case v.Up && !before.Up:
		log.Info("job is read again", "workers", v.snapshot.workers, "failed_seconds", time.Since(before.Since).Seconds())
	case !v.Up && (before.Up || before.Failure != v.Failure):
		args := []any{"reason", v.Failure, "err", v.Error}
		if v.snapshot != nil {
			args = append(args, "served_age_seconds", time.Since(v.Success).Seconds())
		}
		log.Warn("poll of job failed", args...)
	}
}

// logDiscovery logs the outcome of a listing where it differs from the one before.
func (p *Poller) logDiscovery(before discovery) {
	d, jobs := p.discovery, len(*p.jobs.Load())
	switch {
	case d.up && !before.up:
		p.options.Logger.Info("jobs are listed", "watched", jobs)
	case !d.up && (before.up || before.failure != d.failure):
		p.options.Logger.Warn("listing of jobs failed, the last list is kept", "reason", d.failure, "err", d.text, "watched", jobs)
	}
}
