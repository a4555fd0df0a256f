package schedule

import (
	"context"
	"errors"
	"time"

	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/reason"
)

// poller polls jobs. It is safe for concurrent use, for different jobs.
type poller struct {
	details
	targets *targets
}

// poll brings a job up to date and publishes its views: record, workers, details.
// tick is when the last tick began: a record that was read since is fresh. It reports
// why the poll failed; a poll that ctx ended changes nothing and fails as
// context.Canceled. A job at rest that was never read is polled in two steps, and again
// after the first: that reads only the API's counts, so that those with failed workers
// are found before all pages are read.
func (p *poller) poll(ctx context.Context, j *job, tick time.Time) (again bool, err error) {
	v := *j.view.Load()
	var recordErr error
	if j.configured && v.Record.At.Before(tick) {
		recordErr = p.bounded(ctx, func(ctx context.Context) error { return p.record(ctx, &v) })
	}
	j.confirm(&v)
	if lineOf(&v) == unread && !v.Counts.Known() && p.bounded(ctx, func(ctx context.Context) error { return p.count(ctx, &v) }) == nil {
		j.view.Store(&v)
		return true, nil
	}
	gone := reason.Of(recordErr) == reason.NotFound
	if gone || j.needsSweep(&v, time.Now(), p.MaxStaleness) {
		var notFound error // what an empty list of workers means
		if gone {
			notFound = recordErr
		}
		if err := p.sweepJob(ctx, j, &v, notFound); err != nil {
			return false, err
		}
	}
	_ = p.bounded(ctx, func(ctx context.Context) error {
		p.refresh(ctx, j, &v)
		return nil
	})
	j.view.Store(&v)
	return false, nil
}

// sweepJob reads the job's workers and publishes the outcome. The empty list of a job that
// nobody knows says nothing: it fails as notFound, if that is not nil.
func (p *poller) sweepJob(ctx context.Context, j *job, v *View, notFound error) error {
	start := time.Now()
	snapshot, err := sweep.Job(ctx, p.API, j.id, p.sweep(start))
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err == nil && snapshot.Workers == 0 {
		err = notFound
	}
	p.conclude(v, snapshot, err)
	if err == nil {
		p.targets.put(j.id, snapshot)
		j.sweptAt(start, v, p.Options)
	}
	published := *v // and not written again
	j.view.Store(&published)
	return err
}

// bounded makes calls for details, which must not keep a poll from its end.
func (p *poller) bounded(ctx context.Context, calls func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.MaxStaleness/2)
	defer cancel()
	return calls(ctx)
}

// conclude writes the outcome of a sweep into a view.
func (p *poller) conclude(v *View, snapshot *sweep.Snapshot, err error) {
	before := *v
	v.Polled, v.Up, v.Failure, v.Error = true, err == nil, reason.Of(err), ""
	if err == nil {
		v.Snapshot, v.Success = snapshot, snapshot.Swept
	} else {
		v.Error = err.Error()
		p.Observer.PollFailed(reason.Of(err))
	}
	if v.Up != before.Up || !before.Polled {
		v.Since = time.Now()
	}
	logPoll(p.Logger, &before, v)
}
