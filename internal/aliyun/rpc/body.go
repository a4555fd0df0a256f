package rpc

import (
	"bytes"
	"errors"
	"io"
)

// maxBody bounds the answer to one call: a page of 50 workers takes 30 KiB.
const maxBody = 16 << 20

// boundedReader reads at most left bytes. It remembers the error that ended the body, to
// tell a torn body from bad content, and the first bytes, to recognise a web page.
type boundedReader struct {
	r     io.Reader
	left  int
	over  bool
	err   error
	begin []byte // of the first read, a few bytes
}

// Read implements io.Reader.
func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		b.over = true
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	if b.begin == nil && n > 0 {
		b.begin = bytes.Clone(p[:min(n, 64)])
	}
	b.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}
