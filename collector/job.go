package collector

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// job is a watched job. Its view is for readers; the rest, and to write the view, belongs
// to its poll while there is one, else to the cycle.
type job struct {
	id         int64
	configured bool
	view       atomic.Pointer[View]
	reading    atomic.Bool // it is being polled

	attempted time.Time // when it last had its turn
	swept     revision  // of the record before the last complete sweep
	resync    time.Time // when a sweep is due although nothing changed
	missed    missed
}

// missed is the last time that the job's context could not be read.
type missed struct {
	at time.Time
	of revision // of the job's record
}

// again reports whether the context should be asked for once more: what fails for
// one job may fail for a thousand, at every poll.
func (m *missed) again(v *View, now time.Time, maxStaleness time.Duration) bool {
	return m.of != revisionOf(v.record.value) || now.Sub(m.at) > maxStaleness/4
}

// View is what is known of a job. It is never written after it is published.
type View struct {
	ID       int64
	label    string        // the same as the label job_id
	Expected bool          // the settings name the job, so that it has an up before any poll
	Polled   bool          // some poll has ended
	Up       bool          // the last one succeeded
	Failure  reason.Reason // why it did not
	Error    string        // the same in one line, free of secrets
	Since    time.Time     // when Up last changed
	Success  time.Time     // when the workers were last confirmed, zero: never
	snapshot *Snapshot     // nil: never

	record       dated[*cas.Job]
	counts       dated[cas.JobCounts]
	certificates dated[[]detail]
}

// has reports whether a view has what a class shows.
func (v *View) has(c class) bool {
	switch c {
	case sweeps:
		return v.snapshot != nil
	case records:
		return v.record.known()
	case counted:
		return v.counts.known()
	case certificate:
		return v.certificates.known()
	default:
		return true
	}
}

// confirmed returns when the content of a class was last confirmed.
func (v *View) confirmed(c class) time.Time {
	switch c {
	case sweeps:
		return v.Success
	case records:
		return v.record.at
	case counted:
		return v.counts.at
	default:
		return v.certificates.at
	}
}

// shows reports whether a class is fit to be served at a time.
func (v *View) shows(c class, now time.Time, maxStaleness time.Duration) bool {
	return c == always || v.has(c) && now.Sub(v.confirmed(c)) <= maxStaleness
}

// dated is a fact with the time of its last confirmation; zero: not known.
type dated[T any] struct {
	value T
	read  time.Time
	at    time.Time
	of    revision // of the job's record when it was read
}

func datedNow[T any](value T, of revision) dated[T] {
	now := time.Now()
	return dated[T]{value, now, now, of}
}

func (d *dated[T]) known() bool { return !d.at.IsZero() }

// revision is what of a job's record shows that the job changed; its times are
// Unix milliseconds. The zero value is the revision of an unknown record.
type revision struct {
	status                             string
	rolledBack                         bool
	modified, schedule, started, ended int64
}

func revisionOf(job *cas.Job) revision {
	if job == nil {
		return revision{}
	}
	return revision{
		job.Status, job.RolledBack,
		job.Modified.UnixMilli(), job.Schedule.UnixMilli(), job.Start.UnixMilli(), job.Ended.UnixMilli(),
	}
}

// granularity is how coarse the API's times are, and how far its clock may be
// from ours, for a change not to be overlooked.
const granularity = 2 * time.Second

// settled reports whether the job's workers are known without another sweep: it
// is finished, and its record says that nothing happened since the last one. An
// old record serves until what it confirmed is half way to being stale.
func (j *job) settled(v *View, now time.Time, maxStaleness time.Duration, fresh bool) bool {
	switch {
	case v.snapshot == nil, !v.Up, !v.record.known():
		return false
	case !v.record.value.Finished(), revisionOf(v.record.value) != j.swept:
		return false
	case !fresh && now.Sub(v.Success) > maxStaleness/2:
		return false
	default:
		return now.Before(j.resync)
	}
}

// note remembers a complete sweep that began at start, so that the next cycle
// can tell whether it still holds.
func (j *job) note(v *View, start time.Time, resync time.Duration) {
	j.swept = revision{}
	// A change in the same instant as the one recorded would not show.
	if v.record.known() && start.Sub(v.record.value.Modified) >= granularity {
		j.swept = revisionOf(v.record.value)
	}
	j.resync = start.Add(resync*4/5 + rand.N(resync/5))
}
