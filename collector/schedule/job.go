package schedule

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

// job is a watched job. Its view is for readers, and made by its poll and the tick. The
// rest belongs to its poll while there is one, else to the tick.
type job struct {
	id         int64
	configured bool
	making     sync.Mutex // of a view out of the one before
	view       atomic.Pointer[View]

	added  time.Time // when it was first watched
	polled time.Time // when its last poll began; zero: never
	resync time.Time // when a sweep is due although nothing changed
	missed missed
}

// missed is the last time that the job's details could not be read.
type missed struct {
	at time.Time
	of revision // of the job's record
}

func newJob(id int64, configured bool, t *targets) *job {
	j := &job{id: id, configured: configured, added: time.Now()}
	j.view.Store(newView(id, configured, t))
	return j
}

// update publishes a changed copy of the view.
func (j *job) update(change func(*View)) {
	j.making.Lock()
	defer j.making.Unlock()
	v := *j.view.Load()
	change(&v)
	j.view.Store(&v)
}

// learn takes what a listing of the tick at says of the job; nil: nothing.
func (j *job) learn(record *cas.Job, at time.Time) {
	if record != nil {
		j.update(func(v *View) { v.setRecord(record, at) })
	}
}

// waitingSince returns when the job was last looked at.
func (j *job) waitingSince() time.Time {
	if j.polled.IsZero() {
		return j.added
	}
	return j.polled
}

// granularity is how coarse the API's times are, and how far its clock may be
// from ours, for a change not to be overlooked.
const granularity = 2 * time.Second

// sweptRevision returns the revision of a job's record before a sweep that began at start.
// If the record has another one later, the job has changed since.
func sweptRevision(record *cas.Job, start time.Time) revision {
	if record == nil || start.Sub(record.Modified) < granularity {
		return revision{} // a change in the same instant as the one recorded would not show
	}
	return revisionOf(record)
}

// planResync says when a job is read again although nothing changes, after a sweep that
// began at start.
func (j *job) planResync(start time.Time, s *sweep.Snapshot, o *Options) {
	j.resync = start.Add(o.ResyncInterval*4/5 + rand.N(o.ResyncInterval/5))
	// A worker that becomes stuck while its job is at rest must be seen earlier.
	if next := s.NextStuck; !next.IsZero() && next.Add(o.StuckAfter).Before(j.resync) {
		j.resync = next.Add(o.StuckAfter + time.Second)
	}
}

// needsSweep reports whether the job's workers must be read: something may have
// changed, the resync is due, or nothing confirmed them for half of maxStaleness.
func (j *job) needsSweep(v *View, now time.Time, maxStaleness time.Duration) bool {
	return !v.unchanged() || !now.Before(j.resync) || now.Sub(v.Success) > maxStaleness/2
}

// mustPoll reports whether there is anything to ask the API, after a listing of the tick at;
// that is zero while the listing is being read, which may bring the record.
func (j *job) mustPoll(at time.Time, maxStaleness time.Duration) bool {
	v, now := j.view.Load(), time.Now()
	return j.configured && v.Record.At.Before(at) || j.needsSweep(v, now, maxStaleness) ||
		!v.hasDetails() && j.mayReadDetails(v, now, maxStaleness)
}

// mayReadDetails reports whether details that are missing should be asked for: what
// fails for one job may fail for a thousand, at every poll.
func (j *job) mayReadDetails(v *View, now time.Time, maxStaleness time.Duration) bool {
	return j.missed.of != revisionOf(v.Record.Value) || now.Sub(j.missed.at) > maxStaleness/4
}

// shown returns the snapshot that the job shows now, nil if there is none or it is stale.
func (j *job) shown(maxStaleness time.Duration) *sweep.Snapshot {
	if v := j.view.Load(); v.Shows(Sweeps, time.Now(), maxStaleness) {
		return v.Snapshot
	}
	return nil
}

// takeJob takes what a job shows.
func (t *targets) takeJob(j *job, maxStaleness time.Duration) {
	t.take(j.id, func() *sweep.Snapshot { return j.shown(maxStaleness) })
}

// takeAll takes what all jobs show, and drops those that are not watched any more.
func (t *targets) takeAll(jobs []*job, maxStaleness time.Duration) {
	gone := t.jobs()
	for _, j := range jobs {
		delete(gone, j.id)
		t.takeJob(j, maxStaleness)
	}
	for id := range gone {
		t.take(id, func() *sweep.Snapshot { return nil })
	}
}
