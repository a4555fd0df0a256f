package cas

import (
	"io"
	"strings"
)

// DecodeWorkers decodes an answer of ListWorkerResource.
func (c *Client) DecodeWorkers(body io.Reader, size int) (WorkerPage, error) {
	return c.DecodeWorkersInto(body, make([]Worker, 0, size))
}

// DecodeWorkersInto decodes an answer of ListWorkerResource into the memory of
// spare.
func (c *Client) DecodeWorkersInto(body io.Reader, spare []Worker) (WorkerPage, error) {
	page := WorkerPage{Workers: spare[:0]}
	err := c.decoders.decode(body, func(d *decoder) error { return page.read(d, &WorkerQuery{Size: cap(spare)}) })
	return page, err
}

// DecodeHosts decodes an answer of ListWorkerResource with where workers in success
// deployed to.
func (c *Client) DecodeHosts(body io.Reader) (WorkerPage, error) {
	page := WorkerPage{}
	err := c.decoders.decode(body, func(d *decoder) error { return page.read(d, &WorkerQuery{Size: 1, Hosts: true}) })
	return page, err
}

// Grows reports whether a decoder is not fit to be kept after a text.
func Grows(text string) bool {
	d := newDecoder()
	d.begin(strings.NewReader(text))
	d.skip()
	_ = d.end()
	return d.grown()
}
