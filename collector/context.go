package collector

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// The context of a job is what is known of it beside its workers: its record,
// the API's own counts, its certificates. That it cannot be read does not make
// the poll fail; what is known stays until it is stale.

// refreshRecord brings the record of a job that no listing covers. It returns why
// it could not.
func (c *cycle) refreshRecord(ctx context.Context, j *job, v *View) error {
	if !j.configured || c.listed != nil && !v.record.at.Before(c.start) {
		return nil
	}
	return ask(ctx, c, "DescribeDeploymentJob", func(ctx context.Context) error {
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
		countErr = ask(ctx, c, "DescribeDeploymentJobStatus", func(ctx context.Context) error {
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
		certErr = ask(ctx, c, "ListDeploymentJobCert", func(ctx context.Context) error {
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

// ask makes a call for context, within the cycle's budget or a share of the interval.
// An action that failed for several jobs and answered none is left alone for the
// rest of the cycle: the account may not use it, or its API fails.
func ask(ctx context.Context, c *cycle, action string, call func(context.Context) error) error {
	if err := c.asked.hopeless(action); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, max(c.budget()-time.Since(c.start), c.options.PollInterval/5))
	defer cancel()
	err := call(within)
	c.asked.note(action, err)
	c.judge(err, false)
	return err
}

// verdicts are what a cycle learned of the actions that it asked for context.
type verdicts struct {
	mu sync.Mutex
	by map[string]verdict
}

type verdict struct {
	failed int  // times
	works  bool // it answered once
	err    error
}

// hopeless returns why an action is not to be asked again, nil if it is.
func (v *verdicts) hopeless(action string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if one := v.by[action]; one.failed >= 3 && !one.works {
		return one.err
	}
	return nil
}

func (v *verdicts) note(action string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by == nil {
		v.by = map[string]verdict{}
	}
	one := v.by[action]
	switch reason.Of(err) {
	case reason.NotFound: // of the job
		return
	case "":
		one.works = one.works || err == nil
	default:
		one.failed, one.err = one.failed+1, err
	}
	v.by[action] = one
}

// details makes one of each certificate; the first of two that look the same counts.
// One that CAS has by its order has no id.
func details(certificates []cas.Certificate) []detail {
	seen := map[string]bool{}
	var all []detail
	for _, c := range certificates {
		id := ""
		if c.ID > 0 {
			id = strconv.FormatInt(c.ID, 10)
		}
		labels := []string{id, c.Name, c.CommonName}
		if key := fmt.Sprintf("%q", labels); !seen[key] {
			seen[key] = true
			all = append(all, detail{c.NotAfter, labels})
		}
	}
	return all
}
