package schedule

import (
	"context"
	"fmt"
	"time"

	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// Listing is the outcome of the last listing of the account's jobs.
type Listing struct {
	Polled, Up bool // Polled: there was one
	Failure    reason.Reason
	Error      string // in one line, free of secrets
	pages      int    // of the last one that succeeded
}

// lister lists the jobs of an account.
type lister struct{ *Options }

// listed is the outcome of a listing.
type listed struct {
	jobs  map[int64]*cas.Job
	pages int
	err   error
}

// list reads the listings that the settings ask for, each complete by itself, and
// returns the union with the number of pages. The statuses are read in the order of
// a job's life, so that a job that moves on meanwhile is met at least once; what was
// read last holds.
func (l lister) list(ctx context.Context) listed {
	jobs, pages := map[int64]*cas.Job{}, 0
	for _, jobType := range orAll(l.Discovery.JobTypes) {
		for _, status := range orAll(inOrder(l.Discovery.Statuses, cas.JobStatuses())) {
			part, n, err := l.read(ctx, jobType, status)
			if err != nil {
				return listed{err: fmt.Errorf("list jobs: %w", err)}
			}
			for _, job := range part {
				jobs[job.ID] = job
			}
			pages += n
		}
	}
	return listed{jobs, pages, tooLong(jobs)}
}

// maxText is the maximum length of all texts of a listing, in bytes: records are kept, and
// served at each scrape. 100,000 jobs with names of 300 bytes take 30 MiB.
const maxText = 64 << 20

func tooLong(jobs map[int64]*cas.Job) error {
	text := 0
	for _, j := range jobs {
		text += len(j.Name) + len(j.JobType) + len(j.CertType) + len(j.Status)
	}
	if text > maxText {
		return reason.Errorf(reason.Limit, "list jobs: texts of %d bytes are more than %d", text, maxText)
	}
	return nil
}

// orAll returns the values of a filter, or the empty value, which asks for all.
func orAll(values []string) []string {
	if len(values) == 0 {
		return []string{""}
	}
	return values
}

func (l lister) read(ctx context.Context, jobType, status string) (jobs []*cas.Job, pages int, err error) {
	listing := sweep.Listing[cas.Job]{
		PageSize: l.PageSize, Concurrency: l.Concurrency, MaxRows: int64(l.MaxJobs), Timeout: l.timeout,
		ID: func(j *cas.Job) int64 { return j.ID },
		Fetch: func(ctx context.Context, n int, spare []cas.Job) (sweep.Page[cas.Job], error) {
			answer, failure := l.API.ListJobs(ctx, cas.JobQuery{JobType: jobType, Status: status, Page: n, Size: l.PageSize}, spare)
			for i := range answer.Jobs {
				if j := &answer.Jobs[i]; failure == nil && (jobType != "" && j.JobType != jobType || status != "" && j.Status != status) {
					failure = reason.Errorf(reason.Decode, "the answer to JobType=%q Status=%q holds another job", jobType, status)
				}
			}
			return sweep.Page[cas.Job]{Rows: answer.Jobs, Total: answer.Total}, failure
		},
	}
	pages, err = listing.Read(ctx, func() func(*cas.Job) {
		jobs = nil
		return func(j *cas.Job) {
			job := *j // j's memory is the page's
			jobs = append(jobs, &job)
		}
	})
	return jobs, pages, err
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// sleep waits; false as soon as the context ends.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
