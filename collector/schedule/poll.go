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
	if lineOf(&v) == unread && !v.Counts.Known() {
		err := p.bounded(ctx, func(ctx context.Context) error { return p.count(ctx, &v, revisionOf(v.Record.Value)) })
		if err == nil {
			j.view.Store(&v)
			return true, nil
		}
	}
	gone := reason.Of(recordErr) == reason.NotFound
	if start := time.Now(); gone || j.needsSweep(&v, start, p.MaxStaleness) {
		snapshot, err := sweep.Job(ctx, p.API, j.id, p.sweep(start))
		if errors.Is(err, context.Canceled) {
			return false, err
		}
		if err == nil && snapshot.Workers == 0 && gone {
			err = recordErr // the empty list of a job that nobody knows says nothing
		}
		p.conclude(&v, snapshot, err)
		if err == nil {
			p.targets.put(j.id, snapshot)
		}
		j.view.Store(&v)
		if err != nil {
			return false, err
		}
		j.sweptAt(start, &v, p.Options)
	}
	w := v // what is published is not written again
	_ = p.bounded(ctx, func(ctx context.Context) error {
		p.refresh(ctx, j, &w)
		return nil
	})
	j.view.Store(&w)
	return false, nil
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
