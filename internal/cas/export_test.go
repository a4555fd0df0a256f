package cas

import "io"

// DecodeWorkers decodes an answer of ListWorkerResource.
func (c *Client) DecodeWorkers(body io.Reader, size int) (WorkerPage, error) {
	page := WorkerPage{Workers: make([]Worker, 0, size)}
	err := c.decoders.decode(body, page.read)
	return page, err
}
