package server

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"aliyun_cas_exporter/collector"
)

// filter narrows the start page; empty fields take all.
type filter struct {
	Account string `json:"account,omitempty"` // its path, as in the addresses of its jobs
	Status  string `json:"status,omitempty"`  // of the job
	Alert   string `json:"alert,omitempty"`   // that the job should raise; anyAlert: one of them
	Text    string `json:"q,omitempty"`       // in the job's name or id
}

// anyAlert is the filter for jobs in trouble.
const anyAlert = "any"

// newFilter reads the query of an address, without what nobody can see.
func newFilter(q url.Values) filter {
	get := func(key string) string { return visible(q.Get(key), 100) }
	return filter{get("account"), get("status"), get("alert"), get("q")}
}

// takes reports whether a job is shown.
func (f *filter) takes(j *collector.JobState) bool {
	raises := func(alert string) bool {
		return slices.ContainsFunc(j.Troubles, func(t collector.Trouble) bool { return t.Alert == alert })
	}
	switch {
	case f.Status != "" && f.Status != maybe(j.Status),
		f.Alert == anyAlert && len(j.Troubles) == 0,
		f.Alert != "" && f.Alert != anyAlert && !raises(f.Alert):
		return false
	}
	return f.Text == "" || strings.Contains(strconv.FormatInt(j.ID, 10), f.Text) ||
		strings.Contains(strings.ToLower(visible(j.Name, 1000)), strings.ToLower(f.Text))
}

// maxListed is about how many jobs the start page lists.
const maxListed = 500

// overview is the start page.
type overview struct {
	Version  string    `json:"version,omitempty"`
	Demo     bool      `json:"demo,omitempty"`
	At       time.Time `json:"as_of"`
	Filter   filter    `json:"filter"`
	Jobs     int       `json:"jobs"`     // of all accounts, whatever the filter
	Critical int       `json:"critical"` // jobs
	Troubled int       `json:"in_trouble"`
	Down     int       `json:"not_read"`
	Failed   int       `json:"failed_workers"`
	Workers  int       `json:"workers"`
	Accounts []part    `json:"accounts"`

	Choices choices `json:"-"`
	banners []string
}

// part is an account as it is shown.
type part struct {
	Name     string    `json:"name,omitempty"`
	Region   string    `json:"region,omitempty"`
	Polled   bool      `json:"polled"`
	LastPoll time.Time `json:"last_poll,omitzero"`
	Banner   *banner   `json:"api,omitempty"`
	Jobs     int       `json:"jobs"`
	Matching int       `json:"matching"`
	Hidden   int       `json:"hidden"`              // of those that match
	Empty    []string  `json:"why_empty,omitempty"` // what may hide its jobs
	Listed   []row     `json:"listed"`
	Unlisted bool      `json:"-"` // the last listing failed
}

// choices are what can be filtered by.
type choices struct {
	Accounts, Statuses, Alerts []choice
}

// choice is one of them.
type choice struct {
	Value, Label string
	Jobs         int
	Chosen       bool
}

// newOverview counts, filters and cuts.
func newOverview(s *Status, f filter, at time.Time) *overview {
	o := &overview{Version: s.Version, Demo: s.Demo, At: at.UTC(), Filter: f, Accounts: []part{}}
	statuses, alerts := map[string]int{}, map[string]int{}
	shown := 0
	for i := range s.Accounts {
		if a := &s.Accounts[i]; f.Account == "" || f.Account == label(a.Name, a.Region) {
			shown++
		}
	}
	for i := range s.Accounts {
		a := &s.Accounts[i]
		o.count(a, statuses, alerts)
		name := label(a.Name, a.Region)
		if name != "" {
			o.Choices.Accounts = append(o.Choices.Accounts, choice{name, name, len(a.Jobs), name == f.Account})
		}
		if f.Account == "" || f.Account == name {
			p := newPart(a, &f, max(5, maxListed/shown))
			o.Accounts = append(o.Accounts, p)
			if p.Banner != nil && p.Banner.short != "" && !slices.Contains(o.banners, p.Banner.short) {
				o.banners = append(o.banners, p.Banner.short)
			}
		}
	}
	o.Choices.Statuses, o.Choices.Alerts = choicesOf(statuses, f.Status), choicesOf(alerts, f.Alert)
	return o
}

// count counts the jobs of an account, whether they are shown or not.
func (o *overview) count(a *collector.State, statuses, alerts map[string]int) {
	o.Jobs += len(a.Jobs)
	for i := range a.Jobs {
		j := &a.Jobs[i]
		o.Workers += j.Total()
		o.Failed += j.Failed
		if j.Down() {
			o.Down++
		}
		if len(j.Troubles) > 0 {
			o.Troubled++
			if j.Troubles[0].Severity == collector.Critical {
				o.Critical++
			}
		}
		if j.Status != "" && (len(statuses) < maxStatuses || statuses[j.Status] > 0) {
			statuses[j.Status]++
		}
		for k := range j.Troubles {
			alerts[j.Troubles[k].Alert]++
		}
	}
}

// newPart lists the worst jobs of an account that the filter takes.
func newPart(a *collector.State, f *filter, most int) part {
	p := part{Name: maybe(a.Name), Region: maybe(a.Region), Polled: a.Polled, LastPoll: a.LastPoll.UTC(), Banner: newBanner(a), Jobs: len(a.Jobs), Listed: []row{}, Unlisted: a.ListingError != ""}
	prefix := pathOf(a.Name, a.Region)
	for i := range a.Jobs {
		if j := &a.Jobs[i]; f.takes(j) {
			if p.Matching++; len(p.Listed) < most {
				p.Listed = append(p.Listed, newRow(prefix, j))
			}
		}
	}
	p.Hidden = p.Matching - len(p.Listed)
	if len(a.Jobs) == 0 && a.Polled && !p.Unlisted {
		for _, by := range a.Narrowed {
			p.Empty = append(p.Empty, line(by))
		}
	}
	return p
}

// choicesOf orders what jobs have by how many have it. What was chosen is one of them.
func choicesOf(jobs map[string]int, chosen string) (all []choice) {
	for _, value := range slices.SortedFunc(maps.Keys(jobs), func(a, b string) int {
		return cmp.Or(cmp.Compare(jobs[b], jobs[a]), cmp.Compare(a, b))
	}) {
		shown := name(value)
		all = append(all, choice{shown, strings.TrimPrefix(shown, "AliyunCas"), jobs[value], shown == chosen})
	}
	if chosen != "" && chosen != anyAlert && !slices.ContainsFunc(all, func(c choice) bool { return c.Chosen }) {
		all = append(all, choice{chosen, strings.TrimPrefix(chosen, "AliyunCas"), 0, true})
	}
	return all
}

// Title says what is wrong before the program's name: a browser's tab shows its beginning.
func (o *overview) Title() string {
	parts := slices.Clone(o.banners)
	add := func(n int, format string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, n))
		}
	}
	add(o.Critical, "%d critical")
	add(o.Troubled, "%d in trouble")
	add(o.Down, "%d not read")
	return strings.Join(append(parts, "aliyun_cas_exporter"), " · ")
}

// Filtered reports whether the page shows a part of the jobs.
func (o *overview) Filtered() bool { return o.Filter != filter{} }

// Searchable reports whether there is enough to filter.
func (o *overview) Searchable() bool { return o.Jobs > 5 || o.Filtered() }
