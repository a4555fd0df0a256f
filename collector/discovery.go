package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// maxJobs bounds the listing of an account.
const maxJobs = 1_000_000

// discover lists the account's jobs and adopts them. A listing that fails
// changes nothing.
func (c *cycle) discover(ctx context.Context) {
	if c.options.Discovery == nil {
		return
	}
	jobs, pages, err := c.listJobs(ctx)
	if errors.Is(err, context.Canceled) {
		return
	}
	c.judge(err, false)
	before := c.discovery
	c.discovery = discovery{polled: true, up: err == nil, pages: before.pages}
	if err != nil {
		c.discovery.failure, c.discovery.text = reason.Of(err), err.Error()
		c.fail(err)
	} else {
		c.discovery.pages = pages
		c.listed = jobs
		c.adopt()
	}
	known := *c.account.Load()
	known.discovery = c.discovery
	c.account.Store(&known) // the cycle may go on for minutes
	c.logDiscovery(before)
}

// discovery is the outcome of the last listing.
type discovery struct {
	polled, up bool
	failure    reason.Reason
	text       string
	pages      int // of the last listing that succeeded
}

// listJobs reads the listings that the settings ask for, each complete by itself,
// and returns the union with the number of pages. The statuses are read in the
// order of a job's life, so that a job that moves on meanwhile is met at least
// once; what was read last holds.
func (c *cycle) listJobs(ctx context.Context) (map[int64]*cas.Job, int, error) {
	d := c.options.Discovery
	jobs, pages := map[int64]*cas.Job{}, 0
	for _, f := range filters(inOrder(d.Statuses, cas.JobStatuses()), d.JobTypes) {
		part, n, err := c.readJobs(ctx, f.product, f.status)
		if err != nil {
			return nil, 0, fmt.Errorf("list jobs: %w", err)
		}
		for _, job := range part {
			jobs[job.ID] = job
		}
		pages += n
	}
	return jobs, pages, nil
}

func (c *cycle) readJobs(ctx context.Context, jobType, status string) (jobs []*cas.Job, pages int, err error) {
	read := listing[cas.Job]{
		size: c.options.PageSize, concurrency: c.options.Concurrency, limit: maxJobs,
		id: func(j *cas.Job) int64 { return j.ID }, patience: c.patience,
		fetch: func(ctx context.Context, n int, spare []cas.Job) (page[cas.Job], error) {
			answer, failure := c.options.API.ListJobs(ctx, cas.JobQuery{
				JobType: jobType, Status: status, Page: n, Size: c.options.PageSize,
			}, spare)
			for i := range answer.Jobs {
				if j := &answer.Jobs[i]; failure == nil && (jobType != "" && j.JobType != jobType || status != "" && j.Status != status) {
					failure = reason.Errorf(reason.Decode, "the answer to JobType=%q Status=%q holds a job of %q in %q", jobType, status, j.JobType, j.Status)
				}
			}
			return page[cas.Job]{rows: answer.Jobs, total: answer.Total, showSize: answer.ShowSize}, failure
		},
	}
	pages, err = readComplete(ctx, read, func() func(*cas.Job) {
		jobs = nil
		return func(j *cas.Job) {
			job := *j // j's memory is the page's
			jobs = append(jobs, &job)
		}
	})
	return jobs, pages, err
}

// adopt makes the watched jobs what the listing and the settings name.
func (c *cycle) adopt() {
	watched := map[int64]*job{}
	for _, j := range *c.jobs.Load() {
		watched[j.id] = j
	}
	var jobs []*job
	for _, j := range watched {
		if record, ok := c.listed[j.id]; j.configured || ok && c.options.Discovery.covers(record, c.start) {
			jobs = append(jobs, j)
		}
	}
	for id, record := range c.listed {
		if watched[id] == nil && c.options.owns(id) && c.options.Discovery.covers(record, c.start) {
			jobs = append(jobs, newJob(id, false))
		}
	}
	c.watch(jobs)
}

// watch publishes the list of watched jobs.
func (p *Poller) watch(jobs []*job) {
	slices.SortFunc(jobs, func(a, b *job) int { return cmp.Compare(a.id, b.id) })
	p.jobs.Store(&jobs)
}

func newJob(id int64, configured bool) *job {
	j := &job{id: id, configured: configured}
	j.view.Store(&View{ID: id, label: strconv.FormatInt(id, 10), Expected: configured})
	return j
}

// inOrder returns words in the order in which all has them.
func inOrder(words, all []string) []string {
	words = slices.Clone(words)
	slices.SortFunc(words, func(a, b string) int {
		return cmp.Compare(slices.Index(all, a), slices.Index(all, b))
	})
	return words
}
