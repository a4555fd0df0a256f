package cas

import (
	"context"
	"io"
)

// JobCounts is what DescribeDeploymentJobStatus counts; -1 where it gives no
// readable number. Workers that were rolled back are in none of the first four but
// Workers.
type JobCounts struct {
	Workers        int64 // WorkerCount, of the job
	Matched        int64 // MatchWorkerCount: those whose resource the certificate fits
	Failed         int64 // FailedCount
	RollbackFailed int64 // RollbackFailedCount
	QuotaBought    int64 // BuyCount, of the account
	QuotaUsed      int64 // UseCount, of the account
}

// CountJob reads the API's own counts of a job by DescribeDeploymentJobStatus.
func (c *Client) CountJob(ctx context.Context, id int64) (JobCounts, error) {
	counts := unknownCounts()
	err := c.call(ctx, "DescribeDeploymentJobStatus", jobParam(id), func(body io.Reader) error {
		counts = unknownCounts()
		return c.decoders.decode(body, counts.read)
	})
	return counts, err
}

func unknownCounts() JobCounts {
	return JobCounts{Workers: -1, Matched: -1, Failed: -1, RollbackFailed: -1, QuotaBought: -1, QuotaUsed: -1}
}

func (c *JobCounts) read(d *decoder) error {
	var e envelope
	if !d.enter('{') {
		d.complain("the answer is not an object")
		return e.err(d)
	}
	for d.field() {
		switch string(d.key) {
		case "WorkerCount":
			c.Workers = d.count()
		case "MatchWorkerCount":
			c.Matched = d.count()
		case "FailedCount":
			c.Failed = d.count()
		case "RollbackFailedCount":
			c.RollbackFailed = d.count()
		case "BuyCount":
			c.QuotaBought = d.count()
		case "UseCount":
			c.QuotaUsed = d.count()
		default:
			e.field(d)
		}
	}
	if *c == unknownCounts() {
		d.complain("the answer has no counts")
	}
	return e.err(d)
}
