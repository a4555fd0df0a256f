package sweep

import (
	"context"
	"fmt"
	"strings"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// API reads one page of a job's workers; cas.Client implements it.
type API interface {
	ListWorkers(ctx context.Context, q cas.WorkerQuery, spare []cas.Worker) (cas.WorkerPage, error)
}

// Job reads all workers of a job: a Snapshot, or an error with a reason.Reason and
// nothing.
func Job(ctx context.Context, api API, jobID int64, o Options) (*Snapshot, error) {
	// A worker that moves from one filter's status to another's between two reads is
	// in both; so is every worker when a product is named in two spellings.
	var counted *idSet
	if o.Reads() > 1 {
		counted = newIDSet()
	}
	all := newTally(&o, nil)
	for _, f := range o.filters() {
		part, err := f.read(ctx, api, jobID, &o, counted)
		if err != nil {
			return nil, fmt.Errorf("list workers of job %d: %w", jobID, err)
		}
		all.join(part)
		for _, id := range part.ids {
			counted.add(id)
		}
	}
	s, err := all.snapshot()
	if err != nil {
		return nil, fmt.Errorf("list workers of job %d: %w", jobID, err)
	}
	s.Swept, s.Filtered = time.Now(), len(o.Statuses)+len(o.Products) > 0
	switch {
	case !o.ZeroFill:
	case len(o.Statuses) > 0:
		s.statuses = o.Statuses
	default:
		s.statuses = cas.WorkerStatuses()
	}
	return s, nil
}

// filter narrows a read to what one call can ask for; empty fields ask for all.
type filter struct{ status, product string }

func (o *Options) filters() []filter {
	statuses, products := o.Statuses, o.Products
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

// read reads the workers that pass the filter and are not counted yet.
func (f filter) read(ctx context.Context, api API, jobID int64, o *Options, counted *idSet) (*tally, error) {
	var t *tally
	listing := Listing[cas.Worker]{
		PageSize: o.PageSize, Concurrency: o.Concurrency, MaxRows: int64(o.MaxWorkers), Timeout: o.Timeout,
		ID: func(w *cas.Worker) int64 { return w.ID },
		Fetch: func(ctx context.Context, n int, spare []cas.Worker) (Page[cas.Worker], error) {
			answer, err := api.ListWorkers(ctx, cas.WorkerQuery{
				JobID: jobID, Status: f.status, CloudProduct: f.product, Page: n, Size: o.PageSize, Hosts: o.MaxHosts > 0,
			}, spare)
			if err == nil {
				err = f.obeyed(answer.Workers)
			}
			return Page[cas.Worker]{Rows: answer.Workers, Total: answer.Total}, err
		},
	}
	pages, err := listing.Read(ctx, func() func(*cas.Worker) {
		t = newTally(o, counted)
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
			// The error does not repeat the value: the API may echo anything.
			return reason.Errorf(reason.Decode, "the answer to Status=%q CloudProduct=%q holds another worker", f.status, f.product)
		}
	}
	return nil
}
