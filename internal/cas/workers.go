package cas

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"aliyun_cas_exporter/internal/cas/jsonstream"
)

// Unknown is the status of a worker or job that reports none.
const Unknown = "unknown"

// The statuses of workers that failed.
const (
	StatusError         = "error"
	StatusRollbackError = "rollback_error"
)

// WorkerStatuses returns the documented statuses of a worker, in the order of
// its life.
func WorkerStatuses() []string {
	return []string{
		"editing", "pending", "scheduling", "processing", "success", StatusError,
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

	// What follows is read only of a failed worker; see Failed.
	InstanceID, ListenerID, Port, ResourceDomain, CertName string
}

// Failed reports whether the worker's deployment, or its rollback, failed.
func (w *Worker) Failed() bool {
	return w.Status == StatusError || w.Status == StatusRollbackError
}

// WorkerQuery asks for one page of a job's workers.
type WorkerQuery struct {
	JobID        int64
	Status       string // only these; empty: all
	CloudProduct string // only these; empty: all
	Page         int    // from 1
	Size         int    // rows asked for
}

// WorkerPage is one page of workers.
type WorkerPage struct {
	Total    int64 // workers that match the query, as the API counts them
	ShowSize int64 // rows of a full page, as the API says; 0 if it does not
	Workers  []Worker
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
		return c.decoders.decode(body, func(d *decoder) error { return page.read(d, q.Size) })
	})
	if err != nil {
		return WorkerPage{}, err
	}
	return page, nil
}

func (p *WorkerPage) read(d *decoder, size int) error {
	var e envelope
	err := e.read(d, "Data", size, func() error {
		p.Workers = append(p.Workers, Worker{})
		return p.Workers[len(p.Workers)-1].read(d)
	})
	p.Total, p.ShowSize = e.total, e.showSize
	return err
}

func (w *Worker) read(d *decoder) error {
	if d.Kind() != jsonstream.Object {
		d.Skip()
		return undocumented("a worker is not an object")
	}
	d.resetDetails()
	var cloudRegion string
	var idErr error
	for d.Object(); d.Field(); {
		switch string(d.Key()) {
		case "Id":
			w.ID, idErr = d.integer("Id of a worker")
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
		default:
			d.detail()
		}
	}
	switch {
	case idErr != nil:
		return idErr
	case w.ID <= 0:
		return undocumented("a worker has no id")
	case w.Status == "":
		w.Status = Unknown
	}
	if w.RegionID == "" {
		w.RegionID = cloudRegion
	}
	if w.Failed() {
		w.InstanceID, w.ListenerID, w.Port = label(d.details[0]), label(d.details[1]), label(d.details[2])
		w.ResourceDomain, w.CertName = label(d.details[3]), label(d.details[4])
	}
	return nil
}

// detail holds a field back that matters only if the worker turns out to have
// failed: keys come in any order, and most workers did not.
func (d *decoder) detail() {
	var i int
	switch string(d.Key()) {
	case "InstanceId":
		i = 0
	case "ListenerId":
		i = 1
	case "Port":
		i = 2
	case "ResourceDomain":
		i = 3
	case "CertName":
		i = 4
	default:
		d.Skip()
		return
	}
	d.details[i] = append(d.details[i][:0], d.Scalar()...)
}

func (d *decoder) resetDetails() {
	for i := range d.details {
		d.details[i] = d.details[i][:0]
	}
}

// read reads a listing: the shared fields and the list under a key, of which so many
// rows were asked for.
func (e *envelope) read(d *decoder, key string, size int, element func() error) error {
	err := d.object("the answer", func() error {
		if known, err := e.field(d); known {
			return err
		}
		if string(d.Key()) != key {
			d.Skip()
			return nil
		}
		e.hasData = true
		return d.list(key, max(size, maxRows), element)
	})
	switch refusal := e.refusal(); {
	case refusal != nil:
		return refusal
	case err != nil:
		return err
	case !e.hasTotal:
		return undocumented("Total is missing")
	case e.total < 0:
		return undocumented("Total is negative")
	case !e.hasData && e.total > 0:
		return undocumented("%s is missing", key)
	}
	return nil
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
