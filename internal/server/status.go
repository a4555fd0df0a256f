package server

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Status is what the start page shows.
type Status struct {
	Version  string
	Demo     bool
	Accounts []Account
}

// Account is the state of one account.
type Account struct {
	Name      string // empty for the unnamed one
	Polled    bool   // the first poll has ended
	LastPoll  time.Time
	Discovery string // why the last listing failed; empty: it did not, or there is none
	Jobs      []Job
}

// Job is the state of one job.
type Job struct {
	ID           int64
	Name, Status string
	Polled, Up   bool
	Reason       string // of the last failure, one of the closed set
	Error        string // the same in one line, free of secrets
	Confirmed    time.Time
	Stale        bool // too old to be exported
	Workers      []Count
}

// Count is a number of workers in one status.
type Count struct {
	Status string
	N      int
}

// Total returns the number of workers.
func (j *Job) Total() int {
	total := 0
	for _, c := range j.Workers {
		total += c.N
	}
	return total
}

// Failed returns the number of workers that failed.
func (j *Job) Failed() int {
	failed := 0
	for _, c := range j.Workers {
		if classOf(c.Status) == "bad" {
			failed += c.N
		}
	}
	return failed
}

// Trouble says how urgent the job is: what fails comes first.
func (j *Job) Trouble() int {
	switch {
	case j.Polled && !j.Up:
		return 0
	case j.Failed() > 0:
		return 1
	case j.Status != "success":
		return 2
	default:
		return 3
	}
}

func byTrouble(jobs []Job) []Job {
	jobs = slices.Clone(jobs)
	slices.SortStableFunc(jobs, func(a, b Job) int {
		return cmp.Or(cmp.Compare(a.Trouble(), b.Trouble()), cmp.Compare(b.ID, a.ID))
	})
	return jobs
}

// classOf groups statuses by what they mean for an operator.
func classOf(status string) string {
	switch status {
	case "success":
		return "good"
	case "error", "rollback_error":
		return "bad"
	case "scheduling", "processing", "rollback":
		return "moving"
	case "editing", "pending", "rollback_success":
		return "resting"
	default:
		return "other"
	}
}

// advice says what to do about a failed poll.
func advice(reason string) string {
	return map[string]string{
		"auth":         "Check the access key, its token and this host's clock.",
		"forbidden":    "Grant the actions of deploy/ram-policy.json to this identity.",
		"throttled":    "Lower CAS_REQUESTS_PER_SECOND, or find who else uses the quota.",
		"not_found":    "The job does not exist in this account: remove it from CAS_JOB_IDS.",
		"bad_request":  "The API refuses the request: check CAS_ENDPOINT and CAS_REGION_ID.",
		"server_error": "The API fails; it is asked again at every poll.",
		"timeout":      "The API is slow: raise CAS_REQUEST_TIMEOUT if that lasts.",
		"network":      "Check DNS, the proxy and the firewall between here and the API.",
		"decode":       "The answer is not what the API documents: look for a proxy that changes it.",
		"incomplete":   "Rows move while they are read, as in a running job; it is read again at the next poll.",
		"limit":        "The job is larger than CAS_MAX_WORKERS_PER_JOB.",
	}[reason]
}

// visible makes a foreign text safe to look at: control characters and those that
// turn the direction of writing are dropped, and what is very long is cut.
func visible(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > 120 {
		s = string(runes[:119]) + "…"
	}
	return s
}
