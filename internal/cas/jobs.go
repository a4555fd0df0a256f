package cas

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"
)

// JobStatuses returns the documented statuses of a job, in the order of its life.
func JobStatuses() []string {
	return []string{"editing", "pending", "scheduling", "processing", "success", "error"}
}

// Job is the record of a deployment job. Texts are valid UTF-8 of at most 1 KiB;
// times are UTC, zero where the API gives none.
type Job struct {
	ID                                        int64
	Name, JobType, CertType                   string
	Status                                    string // Unknown if the API gives none
	RolledBack                                bool   // some worker was rolled back
	Created, Modified, Schedule, Start, Ended time.Time
}

// Finished reports whether the job has reached a status that it cannot leave.
// Its workers can still be rolled back.
func (j *Job) Finished() bool { return j.Status == "success" || j.Status == "error" }

// JobQuery asks for one page of the account's jobs.
type JobQuery struct {
	JobType string // only these; empty: all
	Status  string // only these; empty: all
	Page    int    // from 1
	Size    int    // rows asked for
}

// JobPage is one page of jobs.
type JobPage struct {
	Total int64 // jobs that match the query, as the API counts them
	Jobs  []Job
}

// ListJobs reads one page by ListDeploymentJob into the memory of spare, which may
// be nil.
func (c *Client) ListJobs(ctx context.Context, q JobQuery, spare []Job) (JobPage, error) {
	params := map[string]string{}
	paging(params, q.Page, q.Size)
	optional(params, "JobType", q.JobType)
	optional(params, "Status", q.Status)
	var page JobPage
	err := c.call(ctx, "ListDeploymentJob", params, func(body io.Reader) error {
		page = JobPage{Jobs: slices.Grow(spare[:0], q.Size)}
		return c.decoders.decode(body, func(d *decoder) error { return page.read(d, q.Size) })
	})
	if err != nil {
		return JobPage{}, err
	}
	return page, nil
}

func (p *JobPage) read(d *decoder, size int) error {
	var e envelope
	e.list(d, size, func() {
		p.Jobs = append(p.Jobs, Job{})
		p.Jobs[len(p.Jobs)-1].read(d, (*decoder).skip)
	})
	p.Total = e.total
	return e.pageErr(d)
}

// DescribeJob reads the record of one job by DescribeDeploymentJob.
func (c *Client) DescribeJob(ctx context.Context, id int64) (Job, error) {
	var job Job
	err := c.call(ctx, "DescribeDeploymentJob", jobParam(id), func(body io.Reader) error {
		job = Job{ID: id}
		return c.decoders.decode(body, func(d *decoder) error {
			var e envelope
			job.read(d, e.field)
			if job.ID != id {
				d.complain("the answer is about job %d", job.ID)
			}
			if job == (Job{ID: id, Status: Unknown}) {
				d.complain("the answer has no record")
			}
			return e.err(d)
		})
	})
	if err != nil {
		return Job{}, err
	}
	return job, nil
}

// read reads a record; other consumes the fields that are not a job's.
func (j *Job) read(d *decoder, other func(*decoder)) {
	if !d.enter('{') {
		d.complain("a job is not an object")
		return
	}
	for d.field() {
		switch string(d.key) {
		case "Id":
			j.ID = d.integer("Id of a job")
		case "Name":
			j.Name = d.text()
		case "Status":
			j.Status = d.knownText()
		case "JobType":
			j.JobType = d.knownText()
		case "CertType":
			j.CertType = d.knownText()
		case "Rollback":
			j.RolledBack = slices.Contains([]string{"1", "true"}, string(d.scalar()))
		case "GmtCreate":
			j.Created = d.time()
		case "GmtModified":
			j.Modified = d.time()
		case "ScheduleTime":
			j.Schedule = d.time()
		case "StartTime":
			j.Start = d.time()
		case "EndTime":
			j.Ended = d.time()
		default:
			other(d)
		}
	}
	if j.ID <= 0 {
		d.complain("a job has no id")
	}
	if j.Status == "" {
		j.Status = Unknown
	}
}

func jobParam(id int64) map[string]string {
	return map[string]string{"JobId": strconv.FormatInt(id, 10)}
}
