package collector

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/cas/reason"
)

// The context of a job is what is known of it beside its workers: its record,
// the API's own counts, its certificates. That it cannot be read does not make
// the poll fail; what is known stays until it is stale.

// refreshRecord brings the record of a job that no listing covers. It returns why
// it could not.
func (c *cycle) refreshRecord(ctx context.Context, j *job, v *View) error {
	if !j.configured || c.listed != nil && v.record.at.After(c.start) {
		return nil
	}
	return ask(ctx, c, "DescribeDeploymentJob", func() error {
		record, err := c.options.API.DescribeJob(ctx, j.id)
		if err != nil {
			return fmt.Errorf("describe job %d: %w", j.id, err)
		}
		v.record = datedNow(&record, revision{})
		v.confirmContext()
		return nil
	})
}

// confirmContext dates what was read at this revision of the record, and reports
// whether all of it was.
func (v *View) confirmContext() bool {
	at, of := v.record.at, revisionOf(v.record.value)
	counts, certificates := v.counts.known() && v.counts.of == of, v.certificates.known() && v.certificates.of == of
	if counts {
		v.counts.at = at
	}
	if certificates {
		v.certificates.at = at
	}
	return counts && certificates
}

// refreshContext reads the counts and certificates where the record changed since,
// where another count than ours was read, and where they would become stale.
func (c *cycle) refreshContext(ctx context.Context, j *job, v *View) {
	of := revisionOf(v.record.value)
	now := time.Now()
	if !j.missed.again(v, now, c.options.MaxStaleness) {
		return
	}
	var countErr, certErr error
	old := now.Sub(v.counts.read) > c.options.ResyncInterval*4/5
	if v.counts.of != of || old || !c.current(v.counts.at, now) || disagree(v) {
		countErr = ask(ctx, c, "DescribeDeploymentJobStatus", func() error {
			counts, err := c.options.API.CountJob(ctx, v.ID)
			if err == nil {
				read := datedNow(counts, of)
				v.counts = read
				c.latest.Store(&read)
			}
			return err
		})
	}
	if v.certificates.of != of || !c.current(v.certificates.at, now) {
		certErr = ask(ctx, c, "ListDeploymentJobCert", func() error {
			certificates, err := c.options.API.ListCertificates(ctx, v.ID)
			if err == nil {
				v.certificates = datedNow(details(certificates), of)
			}
			return err
		})
	}
	if countErr != nil || certErr != nil {
		j.missed = missed{now, of}
	}
}

// current reports whether something of that date is far from being stale.
func (c *cycle) current(at, now time.Time) bool {
	return now.Sub(at) < c.options.MaxStaleness/2
}

// disagree reports whether the last sweep counted otherwise than the API did
// before it: then the count may simply be the older of the two.
func disagree(v *View) bool {
	return v.snapshot != nil && !v.snapshot.filtered && v.counts.value.Workers >= 0 &&
		v.counts.value.Workers != int64(v.snapshot.workers) && v.counts.at.Before(v.snapshot.swept)
}

// ask makes a call for context. An action that the account may not use, or that
// its API does not know, is not tried again in this cycle.
func ask(ctx context.Context, c *cycle, action string, call func() error) error {
	if denied, ok := c.denied.Load(action); ok {
		return denied.(error) //nolint:forcetypeassert // only errors are stored
	}
	err := call()
	switch reason.Of(err) {
	case reason.Auth, reason.Forbidden, reason.BadRequest:
		c.denied.Store(action, err)
	default: // may be another job's luck
	}
	if reason.Of(err) == reason.Auth && !errors.Is(context.Cause(ctx), context.Canceled) {
		c.abort(hopeless{err})
	}
	return err
}

// details makes one of each certificate; the first of two with the same id counts.
func details(certificates []cas.Certificate) []detail {
	seen := map[int64]bool{}
	var all []detail
	for _, c := range certificates {
		if !seen[c.ID] {
			seen[c.ID] = true
			all = append(all, detail{c.NotAfter, []string{strconv.FormatInt(c.ID, 10), c.Name, c.CommonName}})
		}
	}
	return all
}
