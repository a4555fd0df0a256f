package cas

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"
)

// Unknown is the status of a worker or job that reports none.
const Unknown = "unknown"

// The statuses of workers that ended their deployment, or its rollback, with an outcome.
const (
	StatusSuccess       = "success"
	StatusError         = "error"
	StatusRollbackError = "rollback_error"
)

// WorkerStatuses returns the documented statuses of a worker, in the order of
// its life.
func WorkerStatuses() []string {
	return []string{
		"editing", "pending", "scheduling", "processing", StatusSuccess, StatusError,
		"rollback", "rollback_success", StatusRollbackError,
	}
}

// Worker is one worker task: the deployment of a certificate to one resource.
// Texts are valid UTF-8 of at most 1 KiB, as received otherwise.
type Worker struct {
	ID           int64
	Status       string // Unknown if the API gives none
	CloudProduct string
	RegionID     string    // RegionId, else CloudRegion, else empty
	Modified     time.Time // UTC; zero if unreadable
	Resource     ResourceKey

	// What follows is read only of a worker that somebody may have to look for: of one
	// that failed or moves.
	InstanceID, ListenerID, Port, ResourceDomain, CertName string

	// CertID, with Port, ResourceDomain and CertName, is read only of a worker in success,
	// if WorkerQuery.Hosts asks for it; 0: none.
	CertID int64
}

// Failed reports whether the worker's deployment, or its rollback, failed.
func (w *Worker) Failed() bool {
	return w.Status == StatusError || w.Status == StatusRollbackError
}

// Moves reports whether the worker is in a status that it must leave by itself.
func (w *Worker) Moves() bool {
	switch w.Status {
	case "pending", "scheduling", "processing", "rollback":
		return true
	}
	return false
}

// WorkerQuery asks for one page of a job's workers.
type WorkerQuery struct {
	JobID        int64
	Status       string // only these; empty: all
	CloudProduct string // only these; empty: all
	Page         int    // from 1
	Size         int    // rows asked for
	Hosts        bool   // read also where workers in success deployed to
}

// WorkerPage is one page of workers.
type WorkerPage struct {
	Total   int64 // workers that match the query, as the API counts them
	Workers []Worker
}

// ListWorkers reads one page by ListWorkerResource into the memory of spare, which
// may be nil. A row without an id, and an answer without Total, fail as
// reason.Decode.
func (c *Client) ListWorkers(ctx context.Context, q WorkerQuery, spare []Worker) (WorkerPage, error) {
	params := map[string]string{"JobId": strconv.FormatInt(q.JobID, 10)}
	paging(params, q.Page, q.Size)
	optional(params, "Status", q.Status)
	optional(params, "CloudProduct", q.CloudProduct)
	var page WorkerPage
	err := c.call(ctx, "ListWorkerResource", params, func(body io.Reader) error {
		page = WorkerPage{Workers: slices.Grow(spare[:0], q.Size)}
		return c.decoders.decode(body, func(d *decoder) error { return page.read(d, &q) })
	})
	if err != nil {
		return WorkerPage{}, err
	}
	return page, nil
}

func (p *WorkerPage) read(d *decoder, q *WorkerQuery) error {
	var e envelope
	var held heldBack
	e.list(d, q.Size, func() {
		p.Workers = append(p.Workers, Worker{})
		p.Workers[len(p.Workers)-1].read(d, &held, q.Hosts)
	})
	p.Total = e.total
	return e.pageErr(d)
}

func (w *Worker) read(d *decoder, held *heldBack, hosts bool) {
	if !d.enter('{') {
		d.complain("a worker is not an object")
		return
	}
	held.clear()
	var cloudRegion string
	for d.field() {
		switch string(d.key) {
		case "Id":
			w.ID = d.integer("Id of a worker")
		case "Status":
			w.Status = d.knownText()
		case "CloudProduct":
			w.CloudProduct = d.knownText()
		case "RegionId":
			w.RegionID = d.knownText()
		case "CloudRegion":
			cloudRegion = d.knownText()
		case "GmtModified":
			w.Modified = d.time()
		case "ResourceId":
			held.resourceID = d.number()
		case "CertId":
			if hosts {
				held.certID = d.number()
			} else {
				d.skip()
			}
		case "InstanceId":
			held.instance = append(held.instance[:0], d.next()...)
		case "ListenerId":
			held.listener = append(held.listener[:0], d.next()...)
		case "Port":
			held.port = append(held.port[:0], d.next()...)
		case "ResourceDomain":
			held.domain = append(held.domain[:0], d.next()...)
		case "CertName":
			held.cert = append(held.cert[:0], d.next()...)
		default:
			d.skip()
		}
	}
	if w.ID <= 0 {
		d.complain("a worker has no id")
	}
	if w.Status == "" {
		w.Status = Unknown
	}
	if w.RegionID == "" {
		w.RegionID = cloudRegion
	}
	w.Resource = held.key(d, w.CloudProduct, w.RegionID)
	switch {
	case w.Failed(), w.Moves():
		w.InstanceID, w.ListenerID, w.ResourceDomain = label(d.content(held.instance)), label(d.content(held.listener)), label(d.content(held.domain))
		w.Port, w.CertName = d.remembered(held.port), d.remembered(held.cert)
	case w.Status == StatusSuccess && hosts:
		w.ResourceDomain, w.Port, w.CertName = label(d.content(held.domain)), d.remembered(held.port), d.remembered(held.cert)
		w.CertID = held.certID
	}
}

func paging(params map[string]string, page, size int) {
	params["CurrentPage"] = strconv.Itoa(page)
	params["ShowSize"] = strconv.Itoa(size)
}

func optional(params map[string]string, name, value string) {
	if value != "" {
		params[name] = value
	}
}
