package schedule

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"aliyun_cas_exporter/internal/cas"
)

// job is a watched job. Its view is for readers. The rest belongs to its poll while
// there is one, else to the tick.
type job struct {
	id         int64
	configured bool
	view       atomic.Pointer[View]

	added  time.Time // when it was first watched
	polled time.Time // when its last poll began; zero: never
	swept  revision  // of the record before the last complete sweep
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

// sweptAt remembers a complete sweep that began at start, with the record that was
// known then.
func (j *job) sweptAt(start time.Time, v *View, o *Options) {
	j.swept = revision{}
	// A change in the same instant as the one recorded would not show.
	if v.Record.Known() && start.Sub(v.Record.Value.Modified) >= granularity {
		j.swept = revisionOf(v.Record.Value)
	}
	j.resync = start.Add(o.ResyncInterval*4/5 + rand.N(o.ResyncInterval/5))
	// A worker that becomes stuck while its job is at rest is not to wait for that.
	if next := v.Snapshot.NextStuck; !next.IsZero() && next.Add(o.StuckAfter).Before(j.resync) {
		j.resync = next.Add(o.StuckAfter + time.Second)
	}
}

// confirm dates the workers by the record, if that says that nothing happened since
// they were read.
func (j *job) confirm(v *View) {
	if j.unchanged(v) && v.Record.At.After(v.Success) {
		v.Success = v.Record.At
	}
}

// unchanged reports whether the job is finished and its record the same as before
// its last sweep.
func (j *job) unchanged(v *View) bool {
	return v.Snapshot != nil && v.Up && v.Record.Known() && v.Record.Value.Finished() && revisionOf(v.Record.Value) == j.swept
}

// needsSweep reports whether the job's workers must be read: something may have
// changed, the resync is due, or nothing confirmed them for half of maxStaleness.
func (j *job) needsSweep(v *View, now time.Time, maxStaleness time.Duration) bool {
	return !j.unchanged(v) || !now.Before(j.resync) || now.Sub(v.Success) > maxStaleness/2
}

// mustPoll takes what a listing of the tick at says of the job, nil if it says nothing,
// and reports whether there is anything to ask the API. at is zero while the listing is
// being read, which may bring the record.
func (j *job) mustPoll(record *cas.Job, at time.Time, maxStaleness time.Duration) bool {
	v := *j.view.Load()
	if record != nil && !v.Record.At.After(at) { // a slow listing says less than a poll meanwhile
		v.setRecord(record, at)
		j.confirm(&v)
		j.view.Store(&v)
	}
	now := time.Now()
	return j.configured && v.Record.At.Before(at) || j.needsSweep(&v, now, maxStaleness) ||
		!v.hasDetails() && j.mayReadDetails(&v, now, maxStaleness)
}

// mayReadDetails reports whether details that are missing should be asked for: what
// fails for one job may fail for a thousand, at every poll.
func (j *job) mayReadDetails(v *View, now time.Time, maxStaleness time.Duration) bool {
	return j.missed.of != revisionOf(v.Record.Value) || now.Sub(j.missed.at) > maxStaleness/4
}

// refresh drops jobs that are not watched any more, or whose data are stale: those
// supersede nothing. Jobs that are being polled put their own.
func (t *targets) refresh(jobs []*job, polling map[*job]bool, now time.Time, maxStaleness time.Duration) {
	gone := t.jobs()
	for _, j := range jobs {
		delete(gone, j.id)
		switch v := j.view.Load(); {
		case polling[j]:
		case v.Shows(Sweeps, now, maxStaleness):
			t.put(j.id, v.Snapshot)
		default:
			t.put(j.id, nil)
		}
	}
	for id := range gone {
		t.put(id, nil)
	}
}
