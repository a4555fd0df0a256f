package server

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/internal/reason"
)

// banner is what stands between an account and its numbers: the state of the API, and the
// jobs that could not be read, by reason. It says so once, not for each job.
type banner struct {
	Alert   string    `json:"alert,omitempty"` // empty if only single jobs cannot be read
	Text    string    `json:"text"`
	Since   time.Time `json:"since,omitzero"`
	Runbook string    `json:"runbook"`
	Causes  []cause   `json:"causes"`

	Account string `json:"-"` // where there are several
	short   string // for the page's title
}

// cause is a reason for which requests fail.
type cause struct {
	Reason  reason.Reason `json:"reason"`
	Actions []string      `json:"actions,omitempty"` // whose last request failed
	Codes   []string      `json:"codes,omitempty"`   // of the API
	Jobs    int           `json:"jobs,omitempty"`    // whose last poll failed
	Error   string        `json:"error,omitempty"`   // of one of these
	Advice  string        `json:"advice"`
	Runbook string        `json:"runbook"`
}

// newBanner returns the banner of an account, nil if there is nothing to say.
func newBanner(a *collector.State) *banner {
	causes := causesOf(a)
	has := func(why reason.Reason) (since time.Time, ok bool) {
		i := slices.IndexFunc(a.API.Errors, func(e collector.APIError) bool { return e.Reason == why })
		if i < 0 {
			return time.Time{}, false
		}
		return a.API.Errors[i].Since, true
	}
	down := a.API.Asked && !a.API.Up
	// One job that the API fails for is not the API.
	all := a.ListingError != "" || !slices.ContainsFunc(a.Jobs, func(j collector.JobState) bool { return j.Polled && j.Up })
	_, refused := has(reason.Auth)
	forbidden, isForbidden := has(reason.Forbidden)
	throttled, isThrottled := has(reason.Throttled)
	b := &banner{Causes: causes, Account: label(a.Name, a.Region)}
	switch {
	case down && refused:
		b.Alert, b.Since, b.short, b.Text = "AliyunCasAuthFailing", a.API.Since, "key refused", "Alibaba Cloud refuses the credentials."
	case down && all:
		b.Alert, b.Since, b.short, b.Text = "AliyunCasApiUnreadable", a.API.Since, "API unreadable", "The API of Alibaba Cloud cannot be read."
	case isForbidden:
		b.Alert, b.Since, b.short, b.Text = "AliyunCasPermissionMissing", forbidden, "permission missing", "The exporter lacks a permission."
	case isThrottled:
		b.Alert, b.Since, b.short, b.Text = "AliyunCasThrottled", throttled, "throttled", "The API throttles the account."
	case a.ListingError != "":
		b.Alert, b.short, b.Text = "AliyunCasDiscoveryFailing", "jobs not listed", "The jobs cannot be listed."
	case slices.ContainsFunc(causes, func(c cause) bool { return c.Jobs > 0 }):
		b.Text = "Some jobs could not be read at the last poll."
	default:
		return nil
	}
	if a.ListingError != "" && len(a.Jobs) > 0 {
		b.Text += " The last list of jobs is kept."
	}
	b.Since, b.Runbook = b.Since.UTC(), "runbooks"+section(cmp.Or(b.Alert, "AliyunCasDataStale"))
	return b
}

// causesOf groups what fails by its reason, the reason of most jobs first.
func causesOf(a *collector.State) (causes []cause) {
	of := func(why reason.Reason) *cause {
		i := slices.IndexFunc(causes, func(c cause) bool { return c.Reason == why })
		if i < 0 {
			i, causes = len(causes), append(causes, cause{Reason: why, Advice: advice(why), Runbook: "runbooks" + runbookOf(why)})
		}
		return &causes[i]
	}
	for _, e := range a.API.Errors {
		c := of(e.Reason)
		c.Actions = append(c.Actions, e.Action)
		if e.Code != "" && !slices.Contains(c.Codes, e.Code) {
			c.Codes = append(c.Codes, e.Code)
		}
	}
	for i := range a.Jobs {
		if j := &a.Jobs[i]; j.Down() {
			c := of(j.Failure)
			c.Jobs++
			c.Error = cmp.Or(c.Error, line(j.Error))
		}
	}
	if a.ListingError != "" {
		if i := slices.IndexFunc(causes, func(c cause) bool { return slices.Contains(c.Actions, "ListDeploymentJob") }); i >= 0 {
			causes[i].Error = line(a.ListingError)
		} else {
			causes = append(causes, cause{Error: line(a.ListingError), Advice: "A listing that is not complete does not count.", Runbook: "runbooks" + section("AliyunCasDiscoveryFailing")})
		}
	}
	slices.SortStableFunc(causes, func(a, b cause) int { return cmp.Compare(b.Jobs, a.Jobs) })
	return causes
}

// What says what a cause hit.
func (c *cause) What() string {
	var hit []string
	if c.Jobs > 0 {
		hit = append(hit, count(c.Jobs, "job", "jobs"))
	}
	if len(c.Actions) > 0 {
		hit = append(hit, strings.Join(c.Actions, ", "))
	}
	return strings.Join(hit, "; ")
}
