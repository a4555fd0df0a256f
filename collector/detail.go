package collector

import (
	"cmp"
	"slices"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

// Worker is a worker that somebody may have to look for.
type Worker = sweep.Worker

// Group counts the workers of one status in one product and region.
type Group = sweep.Group

// Certificate is a certificate that a job deploys.
type Certificate = schedule.Certificate

// Detail is what a person wants to know of a single job, beside its JobState. It holds
// nothing that is stale. Its slices must not be written.
type Detail struct {
	Record        cas.Job // zero if it is not known
	Swept         time.Time
	Failed        []Worker // oldest first
	FailedOmitted int
	Stuck         []Worker // oldest first
	StuckOmitted  int
	Groups        []Group // by product, region and status
	Certificates  []Certificate
	Reported      int64 // workers, as the API counts them; -1 if that is not known
	Matched       int64 // workers whose resource the certificate fits; the same
}

// Detail returns what is known of a job, nothing and false if no such job is watched.
func (c *Collector) Detail(account, region string, id int64) (d Detail, watched bool) {
	d.Reported, d.Matched = -1, -1
	n := slices.IndexFunc(c.accounts, func(a shown) bool { return a.Name == account && a.Region == region })
	if n < 0 {
		return d, false
	}
	a := c.accounts[n]
	views := a.Views(nil)
	i, watched := slices.BinarySearchFunc(views, id, func(v *schedule.View, id int64) int { return cmp.Compare(v.ID, id) })
	if !watched {
		return d, false
	}
	f := newFacts(views[i], a.Options, time.Now())
	d.Record = f.record()
	if s := f.Snapshot; f.sweeps {
		d.Swept, d.Failed, d.FailedOmitted, d.Groups = s.Swept, s.Failed, s.FailedOmitted, s.Groups
		if f.ShowsStuck() {
			d.Stuck, d.StuckOmitted = s.Stuck, s.StuckOmitted
		}
	}
	if f.counts {
		d.Reported, d.Matched = f.Counts.Value.Workers, f.Counts.Value.Matched
	}
	if f.certificates {
		d.Certificates = f.Certificates.Value
	}
	return d, true
}
