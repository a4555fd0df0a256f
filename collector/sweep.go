package collector

import (
	"context"
	"fmt"
	"strings"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// filter narrows a sweep to what one call can ask for; empty fields ask for all.
type filter struct{ status, product string }

// filters returns the reads that a sweep consists of: one for each combination.
func filters(statuses, products []string) []filter {
	if len(statuses) == 0 {
		statuses = []string{""}
	}
	if len(products) == 0 {
		products = []string{""}
	}
	var all []filter
	for _, product := range products {
		for _, status := range statuses {
			all = append(all, filter{status, product})
		}
	}
	return all
}

// sweep reads all workers of a job: a Snapshot, or an error and nothing. begun is told
// the pages of each of its reads.
func (p *Poller) sweep(ctx context.Context, jobID int64, begun func(pages int)) (*Snapshot, error) {
	whole := newTally(p.options.FailedLimit)
	all := filters(p.options.Statuses, p.options.Products)
	// A worker that moves from one filter's status to another's between two reads is
	// in both; so is every worker when a product is named in two spellings.
	var counted *idSet
	if len(all) > 1 {
		counted = newIDSet()
	}
	for _, f := range all {
		part, err := p.readWorkers(ctx, jobID, f, counted, begun)
		if err != nil {
			return nil, fmt.Errorf("list workers of job %d: %w", jobID, err)
		}
		whole.join(part)
		for _, id := range part.ids {
			counted.add(id)
		}
	}
	s := whole.snapshot(time.Now(), p.statuses)
	s.filtered = len(p.options.Statuses)+len(p.options.Products) > 0
	return s, nil
}

func (p *Poller) readWorkers(ctx context.Context, jobID int64, f filter, counted *idSet, begun func(pages int)) (*tally, error) {
	var t *tally
	read := listing[cas.Worker]{
		size: p.options.PageSize, concurrency: p.options.Concurrency, limit: int64(p.options.MaxWorkers),
		id: func(w *cas.Worker) int64 { return w.ID }, patience: p.patience, begun: begun,
		fetch: func(ctx context.Context, n int, spare []cas.Worker) (page[cas.Worker], error) {
			answer, err := p.options.API.ListWorkers(ctx, cas.WorkerQuery{
				JobID: jobID, Status: f.status, CloudProduct: f.product, Page: n, Size: p.options.PageSize,
			}, spare)
			if err == nil {
				err = f.obeyed(answer.Workers)
			}
			return page[cas.Worker]{rows: answer.Workers, total: answer.Total, showSize: answer.ShowSize}, err
		},
	}
	pages, err := readComplete(ctx, read, func() func(*cas.Worker) {
		t = newTally(p.options.FailedLimit)
		t.counted = counted
		return t.add
	})
	if err != nil {
		return nil, err
	}
	t.pages = pages
	return t, nil
}

// obeyed fails when a row is not what the filter asked for: a filter that is
// ignored would count such a worker once for each read.
func (f filter) obeyed(workers []cas.Worker) error {
	for i := range workers {
		w := &workers[i]
		if f.status != "" && w.Status != f.status || f.product != "" && !strings.EqualFold(w.CloudProduct, f.product) {
			return reason.Errorf(reason.Decode, "the answer to Status=%q CloudProduct=%q holds a worker of %q in %q",
				f.status, f.product, w.CloudProduct, w.Status)
		}
	}
	return nil
}
