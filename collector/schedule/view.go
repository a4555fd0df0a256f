package schedule

import (
	"slices"
	"strconv"
	"time"

	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// View is what is known of a job. It is never written after it is published.
type View struct {
	ID         int64
	Label      string        // ID as a label's value
	Configured bool          // the settings name the job, so that it has an up before any poll
	Polled     bool          // some poll has ended
	Up         bool          // the last one succeeded
	Failure    reason.Reason // why it did not
	Error      string        // the same in one line, free of secrets
	Since      time.Time     // when Up last changed
	Success    time.Time     // when the workers were last confirmed, zero: never
	Snapshot   *sweep.Snapshot
	swept      revision // of the record before the sweep of Snapshot; zero: a change in between would not show
	Progress   Progress // as of the snapshot

	Record       Dated[*cas.Job]
	Counts       Dated[cas.JobCounts]
	Certificates Dated[[]Certificate]

	targets *targets // of the account
}

// Superseded calls f for each group of failed workers, with how many of them are
// superseded: a worker of a later job has their target in success. It calls nothing where
// the settings do not let workers in success be read.
func (v *View) Superseded(f func(g *sweep.Group, workers int)) {
	rest := v.Snapshot.Targets
	if !v.Snapshot.TellsTargets {
		return
	}
	for i := range v.Snapshot.Groups {
		g := &v.Snapshot.Groups[i]
		n := 0
		for n < len(rest) && rest[n].Group == i {
			n++
		}
		if g.Status == cas.StatusError || g.Status == cas.StatusRollbackError {
			f(g, v.targets.superseded(v.ID, rest[:n]))
		}
		rest = rest[n:]
	}
}

// ShowsStuck reports whether the job runs or has ended, so that its workers should move:
// those of a job that waits for its start need not.
func (v *View) ShowsStuck() bool {
	return v.Record.Known() && slices.Contains([]string{"scheduling", "processing", "success", "error"}, v.Record.Value.Status)
}

// Certificate is a certificate that a job deploys, as its series shows it.
type Certificate struct {
	ID               string // empty for one that CAS has by its order
	Name, CommonName string
	NotAfter         time.Time // UTC; zero if unreadable
}

func newView(id int64, configured bool, t *targets) *View {
	return &View{ID: id, Label: strconv.FormatInt(id, 10), Configured: configured, targets: t}
}

// Dated is a fact with the time of its last confirmation. The zero value means unknown.
type Dated[T any] struct {
	Value T
	Read  time.Time
	At    time.Time // when it was last confirmed, by reading it or by an unchanged record

	of revision // of the job's record when it was read
}

func datedNow[T any](value T, of revision) Dated[T] {
	now := time.Now()
	return Dated[T]{value, now, now, of}
}

// Known reports whether there is a fact.
func (d *Dated[T]) Known() bool { return !d.At.IsZero() }

// Class says which data a series depends on, and so when it becomes stale.
type Class int

// The classes.
const (
	Always       Class = iota // the outcome of polls: as long as the job is watched
	Sweeps                    // the last complete sweep
	Records                   // the job's record
	Counts                    // the API's own counts
	Certificates              // the job's certificates
)

// Shows reports whether the data of a class is known and not stale.
func (v *View) Shows(c Class, now time.Time, maxStaleness time.Duration) bool {
	known, at := true, now
	switch c {
	case Sweeps:
		known, at = v.Snapshot != nil, v.Success
	case Records:
		known, at = v.Record.Known(), v.Record.At
	case Counts:
		known, at = v.Counts.Known(), v.Counts.At
	case Certificates:
		known, at = v.Certificates.Known(), v.Certificates.At
	case Always:
	}
	return known && now.Sub(at) <= maxStaleness
}

// revision holds the fields of a job record that change when the job does; its times
// are Unix milliseconds. The zero value is the revision of an unknown record.
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

// setRecord replaces the record by one that was asked for at a time, and dates what was
// read at its revision. It ignores an older record: a slow listing says less than a poll
// meanwhile.
func (v *View) setRecord(job *cas.Job, at time.Time) {
	if v.Record.At.After(at) {
		return
	}
	v.Record = Dated[*cas.Job]{Value: job, Read: at, At: at}
	of := revisionOf(job)
	if v.Counts.Known() && v.Counts.of == of {
		v.Counts.At = latest(v.Counts.At, at)
	}
	if v.Certificates.Known() && v.Certificates.of == of {
		v.Certificates.At = latest(v.Certificates.At, at)
	}
	if v.unchanged() {
		v.Success = latest(v.Success, at)
	}
}

// conclude writes why a sweep failed, nil if it did not.
func (v *View) conclude(err error) {
	if up := err == nil; up != v.Up || !v.Polled {
		v.Since = time.Now()
	}
	v.Polled, v.Up, v.Failure, v.Error = true, err == nil, reason.Of(err), ""
	if err != nil {
		v.Error = err.Error()
	}
}

// unchanged reports whether the job is finished and its record the same as before its last
// sweep.
func (v *View) unchanged() bool {
	return v.Snapshot != nil && v.Up && v.Record.Known() && v.Record.Value.Finished() && revisionOf(v.Record.Value) == v.swept
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// hasDetails reports whether counts and certificates were read at the revision of the
// record.
func (v *View) hasDetails() bool {
	of := revisionOf(v.Record.Value)
	return v.Counts.Known() && v.Counts.of == of && v.Certificates.Known() && v.Certificates.of == of
}
