package rpc

import (
	"errors"
	"io"
)

// maxBody bounds the answer to one call: a page of 50 workers takes 30 KiB.
const maxBody = 16 << 20

// boundedReader reads at most left bytes and remembers what stopped it, so that
// a decoder's complaint about a torn body is told from one about its content.
type boundedReader struct {
	r    io.Reader
	left int
	over bool
	err  error
}

// Read implements io.Reader.
func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		b.over = true
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}
