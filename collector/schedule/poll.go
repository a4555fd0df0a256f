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

// poll brings a job up to date and publishes what it learns: record, workers, details.
// tick is when the last tick began: a record that was read since is fresh. It reports
// why the poll failed; one that ctx ended fails as context.Canceled. A job at rest that
// was never read is polled in two steps, and again after the first: that reads only the
// API's counts, so that those with failed workers are found before all pages are read.
func (p *poller) poll(ctx context.Context, j *job, tick time.Time) (again bool, err error) {
	var recordErr error
	if j.configured && j.view.Load().Record.At.Before(tick) {
		recordErr = p.bounded(ctx, func(ctx context.Context) error { return p.record(ctx, j) })
	}
	v := j.view.Load()
	if lineOf(v) == unread && !v.Counts.Known() && p.bounded(ctx, func(ctx context.Context) error { return p.count(ctx, j) }) == nil {
		return true, nil
	}
	gone := reason.Of(recordErr) == reason.NotFound
	if gone || j.needsSweep(v, time.Now(), p.MaxStaleness) {
		var notFound error // what an empty list of workers means
		if gone {
			notFound = recordErr
		}
		if err := p.sweepJob(ctx, j, notFound); err != nil {
			return false, err
		}
	}
	_ = p.bounded(ctx, func(ctx context.Context) error {
		p.refresh(ctx, j)
		return nil
	})
	return false, nil
}

// sweepJob reads the job's workers and publishes the outcome. The empty list of a job that
// nobody knows says nothing: it fails as notFound, if that is not nil.
func (p *poller) sweepJob(ctx context.Context, j *job, notFound error) error {
	start, before := time.Now(), j.view.Load()
	snapshot, err := sweep.Job(ctx, p.API, j.id, p.sweep(start))
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err == nil && snapshot.Workers == 0 {
		err = notFound
	}
	if err == nil {
		j.planResync(start, snapshot, p.Options)
	} else {
		p.Observer.PollFailed(reason.Of(err))
	}
	j.update(func(v *View) {
		v.conclude(err)
		if err == nil {
			v.Snapshot, v.Success, v.swept = snapshot, snapshot.Swept, sweptRevision(before.Record.Value, start)
			v.Progress = v.Progress.next(before.Record.Value, snapshot)
		}
	})
	p.targets.takeJob(j, p.MaxStaleness)
	logPoll(p.Logger, before, j.view.Load())
	return err
}

// bounded bounds the time of calls for details, so that they do not hold up a poll.
func (p *poller) bounded(ctx context.Context, calls func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.MaxStaleness/2)
	defer cancel()
	return calls(ctx)
}
