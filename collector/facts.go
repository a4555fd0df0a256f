package collector

import (
	"slices"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

// The thresholds of the rules. People may change those of certificates in the rules; the
// pages keep these.
const (
	stuckAfter      = 30 * time.Minute // without a change of a worker, at the last confirmation
	stalledAfter    = time.Hour        // without another worker that ended
	unreleasedAfter = time.Hour        // after the last change of a job in editing
	lateAfter       = 15 * time.Minute // after the time at which a job was to start
	expiresNow      = 3 * 24 * time.Hour
	expiresSoon     = 14 * 24 * time.Hour
	staleIntervals  = 3             // poll intervals without a confirmation
	disagreesAfter  = 2 * time.Hour // after the last change of a job whose workers are counted differently
)

// facts are what the conditions ask: a view, as far as it is not stale.
type facts struct {
	*schedule.View
	now          time.Time
	interval     time.Duration // between polls
	status       string        // of the job; empty if it is not known
	sweeps       bool          // the snapshot holds
	counts       bool          // the API's own counts hold
	certificates bool          // the certificates hold

	errors, rollbacks failures  // that are not superseded
	superseded        int       // failed workers
	succeeded         int       // workers
	stuck             time.Time // since when the worker that should move has not; zero if all move
	undocumented      string    // a status, of the job or a worker

	expiring schedule.Certificate // the first to expire of those that nothing replaced
	urgent   bool                 // one of its certificates is about to expire, replaced here or not
}

// failures are failed workers of one status.
type failures struct {
	n      int
	oldest time.Time // the first, superseded or not
}

// allFacts returns the facts of the views of an account.
func allFacts(views []*schedule.View, o *schedule.Options, now time.Time) []facts {
	all := make([]facts, len(views))
	for i, v := range views {
		all[i] = newFacts(v, o, now)
	}
	expiries(all)
	return all
}

func newFacts(v *schedule.View, o *schedule.Options, now time.Time) facts {
	f := facts{View: v, now: now, interval: o.PollInterval}
	shows := func(c schedule.Class) bool { return v.Shows(c, now, o.MaxStaleness) }
	f.sweeps, f.counts, f.certificates = shows(schedule.Sweeps), shows(schedule.Counts), shows(schedule.Certificates)
	if shows(schedule.Records) {
		f.status = v.Record.Value.Status
		f.document(f.status, cas.JobStatuses())
	}
	if !f.sweeps {
		return f
	}
	for i := range v.Snapshot.Groups {
		f.add(&v.Snapshot.Groups[i])
	}
	if f.errors.n+f.rollbacks.n > 0 {
		v.Superseded(func(g *sweep.Group, n int) {
			f.superseded += n
			f.failed(g.Status).n -= n
		})
	}
	return f
}

// add counts a group of workers.
func (f *facts) add(g *sweep.Group) {
	ended := f.status == "success" || f.status == "error"
	switch g.Status {
	case cas.StatusError, cas.StatusRollbackError:
		failed := f.failed(g.Status)
		failed.n, failed.oldest = failed.n+g.Workers, sweep.Earlier(failed.oldest, g.Oldest)
	case cas.StatusSuccess:
		f.succeeded += g.Workers
	case "scheduling", "processing", "rollback":
		f.hasNotMoved(g.Oldest)
	case "editing", "pending":
		if ended {
			f.hasNotMoved(g.Oldest)
		}
	}
	f.document(g.Status, cas.WorkerStatuses())
}

func (f *facts) failed(status string) *failures {
	if status == cas.StatusRollbackError {
		return &f.rollbacks
	}
	return &f.errors
}

// hasNotMoved takes the last change of a worker that should move. What happened after the
// last confirmation nobody knows.
func (f *facts) hasNotMoved(changed time.Time) {
	if !changed.IsZero() && f.Success.Sub(changed) > stuckAfter {
		f.stuck = sweep.Earlier(f.stuck, changed)
	}
}

func (f *facts) document(status string, documented []string) {
	if f.undocumented == "" && !slices.Contains(documented, status) {
		f.undocumented = status
	}
}

// record returns the job's record, an empty one if that is stale.
func (f *facts) record() cas.Job {
	if f.status == "" {
		return cas.Job{}
	}
	return *f.Record.Value
}

// past reports whether a time is known and longer ago than d.
func (f *facts) past(at time.Time, d time.Duration) bool { return !at.IsZero() && f.now.Sub(at) > d }

// replaced reports whether the job's certificates need no attention: later jobs reached
// all of its resources.
func (f *facts) replaced() bool {
	return f.sweeps && !f.Snapshot.Filtered && f.superseded > 0 && f.superseded >= f.Snapshot.Workers
}

// deployed reports whether the job has deployed its certificates to all its resources.
func (f *facts) deployed() bool {
	failed := f.errors.n+f.rollbacks.n > 0 || !f.stuck.IsZero()
	empty := f.sweeps && !f.Snapshot.Filtered && f.Snapshot.Workers == 0
	return f.status == "success" && !f.record().RolledBack && !empty && !failed
}

// expiries finds the certificates of an account that expire and that no later one of the
// same name has replaced.
func expiries(all []facts) {
	newest := map[string]time.Time{} // by common name: of jobs that deployed it everywhere
	for i := range all {
		if f := &all[i]; f.certificates && f.deployed() {
			f.renew(newest)
		}
	}
	soon := map[string]bool{} // by id: about to expire
	for i := range all {
		if f := &all[i]; f.certificates && !f.replaced() {
			f.expire(newest, soon)
		}
	}
	for i := range all {
		f := &all[i]
		f.urgent = f.certificates && slices.ContainsFunc(f.Certificates.Value, func(c schedule.Certificate) bool { return soon[c.ID] })
	}
}

// renew takes the certificates of a job that deployed them.
func (f *facts) renew(newest map[string]time.Time) {
	for _, c := range f.Certificates.Value {
		if c.CommonName != "" && c.NotAfter.After(newest[c.CommonName]) {
			newest[c.CommonName] = c.NotAfter
		}
	}
}

// expire finds the first certificate of a job to expire that no newer one has replaced.
func (f *facts) expire(newest map[string]time.Time, soon map[string]bool) {
	for _, c := range f.Certificates.Value {
		if c.NotAfter.IsZero() || c.NotAfter.Before(newest[c.CommonName]) {
			continue
		}
		if f.expiring.NotAfter.IsZero() || c.NotAfter.Before(f.expiring.NotAfter) {
			f.expiring = c
		}
		if c.NotAfter.Sub(f.now) < expiresNow {
			soon[c.ID] = true
		}
	}
}
