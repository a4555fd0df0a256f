package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"aliyun_cas_exporter/internal/cas"
)

// details reads the record of a job, the API's own counts and its certificates. If they
// cannot be read, the poll does not fail, and the old ones stay until they are stale.
type details struct {
	*Options
	quota atomic.Pointer[Dated[cas.JobCounts]] // the latest counts of any job: they have the account's quota
}

// record reads the record of a job that no listing covers.
func (d *details) record(ctx context.Context, j *job) error {
	asked := time.Now() // a listing may be asked for, and answer, meanwhile
	record, err := d.API.DescribeJob(ctx, j.id)
	if err != nil {
		return fmt.Errorf("describe job %d: %w", j.id, err)
	}
	j.update(func(v *View) { v.setRecord(&record, asked) })
	return nil
}

// refresh reads the counts and certificates where the record changed since, where they
// would become stale, and counts that are old or older than a sweep that counted
// otherwise.
func (d *details) refresh(ctx context.Context, j *job) {
	v, now := j.view.Load(), time.Now()
	of := revisionOf(v.Record.Value)
	if !j.mayReadDetails(v, now, d.MaxStaleness) {
		return
	}
	var countErr, certErr error
	old := now.Sub(v.Counts.Read) > d.ResyncInterval*4/5
	if v.Counts.of != of || old || !d.current(v.Counts.At, now) || olderThanSweep(v) {
		countErr = d.count(ctx, j)
	}
	if v.Certificates.of != of || !d.current(v.Certificates.At, now) {
		certErr = d.certificates(ctx, j)
	}
	if err := errors.Join(countErr, certErr); err != nil {
		j.missed = missed{now, of}
		d.Logger.Debug("details of a job are missing", "job_id", j.id, "err", err)
	}
}

// current reports whether data of this date is far from being stale.
func (d *details) current(at, now time.Time) bool { return now.Sub(at) < d.MaxStaleness/2 }

// olderThanSweep reports whether the API's count differs from that of a later sweep:
// workers may have come or gone between them.
func olderThanSweep(v *View) bool {
	return v.Snapshot != nil && !v.Snapshot.Filtered && v.Counts.Value.Workers >= 0 &&
		v.Counts.Value.Workers != int64(v.Snapshot.Workers) && v.Counts.At.Before(v.Snapshot.Swept)
}

func (d *details) count(ctx context.Context, j *job) error {
	of := revisionOf(j.view.Load().Record.Value)
	counts, err := d.API.CountJob(ctx, j.id)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	read := datedNow(counts, of)
	j.update(func(v *View) { v.Counts = read })
	d.quota.Store(&read)
	return nil
}

func (d *details) certificates(ctx context.Context, j *job) error {
	of := revisionOf(j.view.Load().Record.Value)
	certificates, err := d.API.ListCertificates(ctx, j.id)
	if err != nil {
		return fmt.Errorf("list certificates: %w", err)
	}
	read := datedNow(distinct(certificates), of)
	j.update(func(v *View) { v.Certificates = read })
	return nil
}

// Quota returns the counts that were read last, of any job: they have the account's
// quota. It returns nil where none are current; those of any job are read again at
// least once in a resync interval.
func (d *details) Quota(now time.Time) *cas.JobCounts {
	q := d.quota.Load()
	if q == nil || now.Sub(q.Read) > d.ResyncInterval+d.MaxStaleness {
		return nil
	}
	return &q.Value
}

// distinct makes one of certificates that look the same, with the earliest expiry.
// Those that CAS has by their order have no id, so two of them can.
func distinct(certificates []cas.Certificate) (all []Certificate) {
	for _, c := range certificates {
		one := Certificate{Name: c.Name, CommonName: c.CommonName, NotAfter: c.NotAfter}
		if c.ID > 0 {
			one.ID = strconv.FormatInt(c.ID, 10)
		}
		i := slices.IndexFunc(all, func(o Certificate) bool {
			return o.ID == one.ID && o.Name == one.Name && o.CommonName == one.CommonName
		})
		switch {
		case i < 0:
			all = append(all, one)
		case all[i].NotAfter.IsZero() || !one.NotAfter.IsZero() && one.NotAfter.Before(all[i].NotAfter):
			all[i].NotAfter = one.NotAfter
		}
	}
	return all
}
