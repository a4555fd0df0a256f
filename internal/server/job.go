package server

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"aliyun_cas_exporter/collector"
)

// maxRows is how many lines a table of a job's page has.
const maxRows = 300

// jobPage is the page of a job.
type jobPage struct {
	row
	At      time.Time `json:"as_of"`
	Demo    bool      `json:"demo,omitempty"`
	Account string    `json:"account,omitempty"`
	Region  string    `json:"api_region,omitempty"`
	Type    string    `json:"job_type,omitempty"`
	Cert    string    `json:"cert_type,omitempty"`
	Rolled  bool      `json:"rolled_back,omitempty"`
	Times   []instant `json:"times"`
	Banner  *banner   `json:"api,omitempty"` // of the account
	Advice  string    `json:"advice,omitempty"`
	Console string    `json:"console,omitempty"`

	FailedWorkers []worker      `json:"failed_workers"`
	FailedOmitted int           `json:"failed_workers_omitted"`
	StuckWorkers  []worker      `json:"stuck_workers"`
	StuckOmitted  int           `json:"stuck_workers_omitted"`
	Groups        []group       `json:"groups"`
	GroupsOmitted int           `json:"groups_omitted,omitempty"`
	Certificates  []certificate `json:"certificates"`
	Reported      *int64        `json:"reported_workers,omitempty"`
	Matched       *int64        `json:"matched_workers,omitempty"`

	Root string `json:"-"` // leads to the start page
}

// instant is one of a job's times.
type instant struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// worker is a worker with what finds its resource.
type worker struct {
	ID          string    `json:"worker_id"`
	Product     string    `json:"cloud_product,omitempty"`
	Region      string    `json:"region_id,omitempty"`
	Instance    string    `json:"instance_id,omitempty"`
	Listener    string    `json:"listener_id,omitempty"`
	Port        string    `json:"port,omitempty"`
	Domain      string    `json:"resource_domain,omitempty"`
	Certificate string    `json:"cert_name,omitempty"`
	Status      string    `json:"status"`
	Modified    time.Time `json:"modified"`
}

// group is the workers of one status in one product and region.
type group struct {
	Product string    `json:"cloud_product,omitempty"`
	Region  string    `json:"region_id,omitempty"`
	Status  string    `json:"status"`
	Workers int       `json:"workers"`
	Oldest  time.Time `json:"oldest_modified,omitzero"`
}

// certificate is a certificate that the job deploys.
type certificate struct {
	ID         string    `json:"cert_id,omitempty"`
	Name       string    `json:"cert_name,omitempty"`
	CommonName string    `json:"common_name,omitempty"`
	NotAfter   time.Time `json:"not_after,omitzero"`
}

// newJobPage returns the page of a job.
func newJobPage(a *collector.State, j *collector.JobState, d *collector.Detail, at time.Time) *jobPage {
	p := &jobPage{
		row: newRow(pathOf(a.Name, a.Region), j), At: at.UTC(), Account: maybe(a.Name), Region: maybe(a.Region), Banner: apiBanner(a, j),
		Type: maybe(d.Record.JobType), Cert: maybe(d.Record.CertType), Rolled: d.Record.RolledBack,
		FailedOmitted: d.FailedOmitted, StuckOmitted: d.StuckOmitted, Times: []instant{}, Groups: []group{}, Certificates: []certificate{},
	}
	if p.NotRead != "" {
		p.Advice = advice(p.NotRead)
	}
	for _, t := range []instant{
		{"Created", d.Record.Created},
		{"Last changed", d.Record.Modified},
		{"Scheduled", d.Record.Schedule},
		{"Started", d.Record.Start},
		{"Ended", d.Record.Ended},
		{"Workers confirmed", j.Success},
		{"All workers read", d.Swept},
	} {
		if !t.At.IsZero() {
			p.Times = append(p.Times, instant{t.Name, t.At.UTC()})
		}
	}
	p.FailedWorkers = p.named(d.Failed, &p.FailedOmitted)
	p.StuckWorkers = p.named(d.Stuck, &p.StuckOmitted)
	p.group(d.Groups)
	for i := range d.Certificates[:min(len(d.Certificates), maxRows)] {
		c := &d.Certificates[i]
		p.Certificates = append(p.Certificates, certificate{maybe(c.ID), maybe(c.Name), maybe(c.CommonName), c.NotAfter.UTC()})
	}
	for _, n := range []struct {
		from int64
		to   **int64
	}{{d.Reported, &p.Reported}, {d.Matched, &p.Matched}} {
		if n.from >= 0 {
			*n.to = &n.from
		}
	}
	return p
}

// apiBanner returns the banner of an account, without what the page of a job says itself and
// what is about other jobs.
func apiBanner(a *collector.State, j *collector.JobState) *banner {
	b := newBanner(a)
	if b == nil || b.Alert == "" {
		return nil
	}
	b.Causes = slices.DeleteFunc(b.Causes, func(c cause) bool { return len(c.Actions) == 0 || j.Down() && c.Reason == j.Failure })
	for i := range b.Causes {
		b.Causes[i].Jobs, b.Causes[i].Error = 0, ""
	}
	return b
}

// named returns the workers that fit on a page; others are counted.
func (p *jobPage) named(workers []collector.Worker, omitted *int) []worker {
	all := make([]worker, 0, min(len(workers), maxRows))
	for i := range workers {
		w := &workers[i]
		if i >= maxRows {
			*omitted += len(workers) - i
			break
		}
		all = append(all, worker{
			w.WorkerID, maybe(w.CloudProduct), maybe(w.RegionID), maybe(w.InstanceID), maybe(w.ListenerID), maybe(w.Port), maybe(w.ResourceDomain), maybe(w.CertName),
			name(w.Status), w.Modified.UTC(),
		})
	}
	return all
}

// group lists the groups, what failed and what moves first, and then the oldest.
func (p *jobPage) group(groups []collector.Group) {
	urgency := []string{"bad", "other", "moving", "resting", "good"}
	ordered := slices.SortedStableFunc(slices.Values(groups), func(a, b collector.Group) int {
		return cmp.Or(
			cmp.Compare(slices.Index(urgency, classOf(a.Status)), slices.Index(urgency, classOf(b.Status))),
			a.Oldest.Compare(b.Oldest),
		)
	})
	p.GroupsOmitted = max(0, len(ordered)-maxRows)
	for _, g := range ordered[:min(len(ordered), maxRows)] {
		p.Groups = append(p.Groups, group{maybe(g.CloudProduct), maybe(g.RegionID), name(g.Status), g.Workers, g.Oldest.UTC()})
	}
}

// consoleOf returns the job's address in the console, where it has one.
func consoleOf(console string, j *collector.Detail, id int64) string {
	switch {
	case console == "":
		return ""
	case j.Record.JobType == "cloud" || j.Record.JobType == "trustee":
		return console + "/?p=cas"
	default:
		return console + "/?p=cas#/deployDetail/user/" + strconv.FormatInt(id, 10)
	}
}

// Title says what is wrong before the job's name.
func (p *jobPage) Title() string {
	var parts []string
	switch {
	case p.Banner != nil && p.Banner.short != "":
		parts = append(parts, p.Banner.short)
	case p.NotRead != "":
		parts = append(parts, "not read")
	}
	if len(p.Troubles) > 0 {
		parts = append(parts, count(len(p.Troubles), "trouble", "troubles"))
	}
	return strings.Join(append(parts, "job "+strconv.FormatInt(p.ID, 10), "aliyun_cas_exporter"), " · ")
}

// Where joins what finds a worker's resource.
func (w *worker) Where() string {
	parts := []string{}
	for _, part := range []string{w.Instance, w.Listener} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if w.Port != "" {
		parts = append(parts, "port "+w.Port)
	}
	return strings.Join(parts, " · ")
}
