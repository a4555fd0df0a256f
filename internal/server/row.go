package server

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/internal/reason"
)

// row is a job as pages show it: every text is short and can be seen.
type row struct {
	Job       string        `json:"job"` // its path below /jobs/, as CAS_JOB_IDS writes jobs
	ID        int64         `json:"id"`
	Name      string        `json:"name,omitempty"`
	Status    string        `json:"status,omitempty"`
	Confirmed time.Time     `json:"confirmed,omitzero"`
	Stale     bool          `json:"stale,omitempty"` // too old to be shown
	NotRead   reason.Reason `json:"not_read,omitempty"`
	Since     time.Time     `json:"not_read_since,omitzero"`
	Error     string        `json:"error,omitempty"`
	Workers   []tally       `json:"workers"`
	Failed    int           `json:"failed"`     // without those that are superseded
	Replaced  int           `json:"superseded"` // by a later job
	Troubles  []trouble     `json:"troubles"`
	Severity  string        `json:"severity,omitempty"` // of the worst

	total int
}

// tally is a number of workers in one status.
type tally struct {
	Status string `json:"status"`
	N      int    `json:"workers"`
}

// trouble is what an alert says of the job.
type trouble struct {
	Alert    string    `json:"alert"`
	Severity string    `json:"severity"`
	Text     string    `json:"text"`
	Since    time.Time `json:"since,omitzero"`
	Runbook  string    `json:"runbook"` // below the server's root
}

// maxStatuses is how many statuses of a job's workers are told apart; nine are documented.
const maxStatuses = 20

func newRow(prefix string, j *collector.JobState) row {
	r := row{
		Job: prefix + strconv.FormatInt(j.ID, 10), ID: j.ID, Name: maybe(j.Name), Status: maybe(j.Status), Confirmed: j.Success.UTC(), Stale: j.Stale,
		Workers: []tally{}, Failed: j.Failed, Replaced: j.Superseded, Troubles: []trouble{}, total: j.Total(),
	}
	if j.Down() {
		r.NotRead, r.Since, r.Error = j.Failure, j.Since.UTC(), line(j.Error)
	}
	for _, c := range j.Workers {
		switch n := len(r.Workers); {
		case c.N == 0:
		case n < maxStatuses:
			r.Workers = append(r.Workers, tally{name(c.Status), c.N})
		default:
			r.Workers[n-1] = tally{"others", r.Workers[n-1].N + c.N}
		}
	}
	for _, t := range j.Troubles {
		r.Severity = cmp.Or(r.Severity, string(t.Severity))
		r.Troubles = append(r.Troubles, trouble{t.Alert, string(t.Severity), visible(t.Text, 200), t.Since.UTC(), "runbooks?job_id=" + strconv.FormatInt(j.ID, 10) + section(t.Alert)})
	}
	return r
}

// pathOf returns what stands before the ids of an account's jobs: nothing, name/, region/
// or name/region/.
func pathOf(account, region string) string {
	path := ""
	if account != "" {
		path = url.PathEscape(account) + "/"
	}
	if region != "" {
		path += url.PathEscape(region) + "/"
	}
	return path
}

// label returns what a person calls an account.
func label(account, region string) string {
	return strings.Trim(maybe(account)+"/"+maybe(region), "/")
}

// Unread reports whether the job was never read.
func (r *row) Unread() bool { return r.Confirmed.IsZero() }

// Total returns the number of workers.
func (r *row) Total() int { return r.total }

// segment is a part of a bar, in hundredths of its length.
type segment struct {
	Class    string
	X, Width string
}

// Bar divides a job's workers by status. A status with any worker can be seen.
func (r *row) Bar() []segment {
	const least = 1.5
	scale := (100 - least*float64(len(r.Workers))) / float64(max(1, r.total))
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }
	var segments []segment
	x := 0.0
	for _, c := range r.Workers {
		width := least + float64(c.N)*scale
		segments = append(segments, segment{classOf(c.Status), number(x), number(width)})
		x += width
	}
	return segments
}
