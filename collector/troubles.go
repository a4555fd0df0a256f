package collector

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"aliyun_cas_exporter/collector/schedule"
)

// Trouble is a condition of a job for which deploy/prometheus/rules.yml has an alert. A
// trouble shows at once; the alert waits for the time of its `for`, and goes on after a
// restart, when the exporter knows nothing yet.
type Trouble struct {
	Alert    string
	Severity Severity
	Rank     int       // 0 is the worst
	Text     string    // what is wrong with the job
	Since    time.Time // since when, or when a certificate expires; zero if that is not known
}

// Severity is how bad a trouble is: the alert's label.
type Severity string

// The severities.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// condition is an alert about jobs. It returns what is wrong with a job and since when, if
// the job meets it.
type condition struct {
	alert    string
	severity Severity
	meets    func(f *facts) (text string, since time.Time, ok bool)
}

// conditions returns the alerts about jobs, the worst first. A test compares them with the
// rules.
func conditions() []condition {
	return []condition{
		{"AliyunCasDeploymentRollbackFailed", Critical, rollbackFailed},
		{"AliyunCasCertificateExpires", Critical, expiresInDays},
		{"AliyunCasDeploymentWorkersFailed", Warning, workersFailed},
		{"AliyunCasDeploymentJobFailed", Warning, jobFailed},
		{"AliyunCasDeploymentWorkersStuck", Warning, workersStuck},
		{"AliyunCasDeploymentJobStalled", Warning, jobStalled},
		{"AliyunCasDeploymentJobNeverStarted", Warning, jobNeverStarted},
		{"AliyunCasDeploymentJobOverdue", Warning, jobOverdue},
		{"AliyunCasDeploymentJobMatchesNothing", Warning, jobMatchesNothing},
		{"AliyunCasCertificateExpires", Warning, expiresInWeeks},
		{"AliyunCasDataStale", Warning, dataStale},
		{"AliyunCasWorkerCountDisagrees", Info, workerCountDisagrees},
		{"AliyunCasUndocumentedStatus", Info, undocumentedStatus},
		{"AliyunCasFailedWorkersOmitted", Info, failedWorkersOmitted},
	}
}

// Troubles returns the troubles of the jobs of an account, the worst of each first.
func Troubles(views []*schedule.View, o *schedule.Options, now time.Time) [][]Trouble {
	all := allFacts(views, o, now)
	troubles := make([][]Trouble, len(all))
	known := conditions()
	for i := range all {
		troubles[i] = troublesOf(&all[i], known)
	}
	return troubles
}

func troublesOf(f *facts, known []condition) (troubles []Trouble) {
	for rank, c := range known {
		if text, since, ok := c.meets(f); ok {
			troubles = append(troubles, Trouble{c.alert, c.severity, rank, text, since})
		}
	}
	return troubles
}

func rollbackFailed(f *facts) (text string, since time.Time, ok bool) {
	return resources(f.rollbacks.n, "%d %s could not be rolled back"), f.rollbacks.oldest, f.rollbacks.n > 0
}

// workersFailed says nothing while a certificate of the job is about to expire: that is a trouble of its own.
func workersFailed(f *facts) (text string, since time.Time, ok bool) {
	return resources(f.errors.n, "%d %s failed"), f.errors.oldest, f.errors.n > 0 && !f.urgent
}

func jobFailed(f *facts) (text string, since time.Time, ok bool) {
	if text = "ended in error, but none of its workers failed"; f.sweeps && f.Snapshot.Filtered {
		text = "ended in error, but none of the workers that are read failed"
	}
	return text, f.record().Ended, f.status == "error" && f.sweeps && f.errors.n+f.rollbacks.n+f.superseded == 0
}

func workersStuck(f *facts) (text string, since time.Time, ok bool) {
	return "a worker does not move", f.stuck, !f.stuck.IsZero()
}

// jobStalled counts from the first sweep that found so many workers at their end, which is
// after the start of the exporter: a view does not say when a worker ended.
func jobStalled(f *facts) (text string, since time.Time, ok bool) {
	since = f.Progress.Since
	ok = f.status == "processing" && f.sweeps && !since.IsZero() && f.now.Sub(since) >= stalledAfter && f.stuck.IsZero()
	return "in processing, but no worker ends", since, ok
}

func jobNeverStarted(f *facts) (text string, since time.Time, ok bool) {
	if due := f.record().Schedule; f.past(due, lateAfter) {
		return "never released, although its time has passed", due, f.status == "editing"
	}
	changed := f.record().Modified
	return "never released", changed, f.status == "editing" && f.past(changed, unreleasedAfter)
}

// jobOverdue takes a job without a schedule for one that starts when it is released.
func jobOverdue(f *facts) (text string, since time.Time, ok bool) {
	due := f.record().Schedule
	if due.IsZero() {
		due = f.record().Modified
	}
	return "due, but CAS does not start it", due, (f.status == "pending" || f.status == "scheduling") && f.past(due, lateAfter)
}

func jobMatchesNothing(f *facts) (text string, since time.Time, ok bool) {
	ok = f.counts && f.Counts.Value.Matched == 0 && f.sweeps && f.succeeded == 0 && f.status != "editing"
	return "the certificate fits none of its resources", time.Time{}, ok
}

func expiresInDays(f *facts) (text string, since time.Time, ok bool) {
	return f.expires(math.MinInt64, expiresNow)
}

func expiresInWeeks(f *facts) (text string, since time.Time, ok bool) {
	return f.expires(expiresNow, expiresSoon)
}

// expires reports whether the certificate that expires first has at least from and less
// than to left.
func (f *facts) expires(from, to time.Duration) (text string, at time.Time, ok bool) {
	at = f.expiring.NotAfter
	if left := at.Sub(f.now); at.IsZero() || left < from || left >= to {
		return "", at, false
	}
	name := cmp.Or(f.expiring.CommonName, f.expiring.Name, "without a name")
	if at.After(f.now) {
		return "certificate " + name + " expires", at, true
	}
	return "certificate " + name + " has expired", at, true
}

// dataStale spares a configured job that was not polled yet: it will be in a moment. The
// alert waits for 10 minutes.
func dataStale(f *facts) (text string, since time.Time, ok bool) {
	if f.Success.IsZero() {
		return "never read", f.Since, f.Polled
	}
	return "not confirmed", f.Success, f.Polled && (f.past(f.Success, staleIntervals*f.interval) || !f.sweeps)
}

// workerCountDisagrees waits until the job was at rest for as long as the alert waits, and
// compares what was read since: counts of a job that moves are of different times.
func workerCountDisagrees(f *facts) (text string, since time.Time, ok bool) {
	changed := f.record().Modified
	if !f.sweeps || !f.counts || f.Snapshot.Filtered || !f.past(changed, disagreesAfter) || f.Snapshot.Swept.Before(changed) || f.Counts.Read.Before(changed) {
		return "", time.Time{}, false
	}
	read, reported := int64(f.Snapshot.Workers), f.Counts.Value.Workers
	return fmt.Sprintf("%d workers were read, but CAS reports %d", read, reported), time.Time{}, reported >= 0 && read != reported
}

func undocumentedStatus(f *facts) (text string, since time.Time, ok bool) {
	return "CAS does not document the status " + f.undocumented, time.Time{}, f.undocumented != ""
}

func failedWorkersOmitted(f *facts) (text string, since time.Time, ok bool) {
	if !f.sweeps || len(f.Snapshot.Failed) == 0 {
		return "", time.Time{}, false
	}
	return resources(f.Snapshot.FailedOmitted, "%d failed %s without details"), time.Time{}, f.Snapshot.FailedOmitted > 0
}

// resources writes a number of workers, each of which deploys to one resource.
func resources(n int, format string) string {
	switch n {
	case 0:
		return "" // there is nothing to say of most jobs
	case 1:
		return fmt.Sprintf(format, n, "resource")
	default:
		return fmt.Sprintf(format, n, "resources")
	}
}

// Alerts returns the names of the alerts that a Trouble can have, each once.
func Alerts() (names []string) {
	for _, c := range conditions() {
		if !slices.Contains(names, c.alert) {
			names = append(names, c.alert)
		}
	}
	return names
}
