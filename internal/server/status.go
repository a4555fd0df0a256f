package server

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/internal/reason"
)

// Status is what the start page shows.
type Status struct {
	Version  string
	Demo     bool
	Accounts []collector.State
}

// shown returns the statuses with any worker.
func shown(j *collector.JobState) []collector.StatusCount {
	return slices.DeleteFunc(slices.Clone(j.Workers), func(c collector.StatusCount) bool { return c.N == 0 })
}

// trouble says how urgent a job is: what cannot be read comes first.
func trouble(j *collector.JobState) int {
	switch {
	case j.Down():
		return 0
	case j.Failed() > 0:
		return 1
	case j.Status != "success":
		return 2
	default:
		return 3
	}
}

// maxListed is about how many jobs the start page lists.
const maxListed = 500

// overview is the start page.
type overview struct {
	Status
	At                     time.Time
	Sections               []section
	Jobs, Down, Failing    int // jobs
	FailedWorkers, Workers int
}

// section is an account as it is shown.
type section struct {
	collector.State
	Listed []collector.JobState // those in trouble first
	Hidden int                  // how many more there are
}

// newOverview counts, sorts and cuts.
func newOverview(s Status, at time.Time) overview {
	o := overview{Status: s, At: at}
	most := max(5, maxListed/max(1, len(s.Accounts)))
	for _, a := range s.Accounts {
		jobs := slices.Clone(a.Jobs)
		slices.SortStableFunc(jobs, func(a, b collector.JobState) int {
			return cmp.Or(cmp.Compare(trouble(&a), trouble(&b)), cmp.Compare(b.ID, a.ID))
		})
		for i := range jobs {
			o.count(&jobs[i])
		}
		listed := jobs[:min(len(jobs), most)]
		o.Sections = append(o.Sections, section{a, listed, len(jobs) - len(listed)})
	}
	return o
}

func (o *overview) count(j *collector.JobState) {
	o.Jobs++
	o.Workers += j.Total()
	o.FailedWorkers += j.Failed()
	if j.Down() {
		o.Down++
	}
	if j.Failed() > 0 {
		o.Failing++
	}
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
func advice(r reason.Reason) string {
	return map[reason.Reason]string{
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
	}[r]
}

// runbook returns the page and section about a failed poll.
func runbook(r reason.Reason) string {
	section := map[reason.Reason]string{
		"auth": "aliyuncasauthfailing", "forbidden": "aliyuncaspermissionmissing", "throttled": "aliyuncasthrottled",
	}[r]
	return "runbooks#" + cmp.Or(section, "aliyuncasdatastale")
}

// name makes a foreign name safe to look at and short.
func name(s string) string { return cmp.Or(visible(s, 100), "(invisible)") }

// line does the same for a foreign line of text.
func line(s string) string { return visible(s, 400) }

// visible drops what cannot be seen and what turns the direction of writing, and
// cuts after so many characters.
func visible(s string, most int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most-1]) + "…"
	}
	return s
}
