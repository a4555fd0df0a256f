package jsonstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	bufferSize = 16 << 10
	maxDepth   = 512
	maxString  = 1 << 20
)

// errSyntax is wrapped by every complaint about the text itself.
var errSyntax = errors.New("invalid JSON")

// Reader reads a JSON value by recursive descent:
//
//	for r.Object(); r.Field(); {
//		switch string(r.Key()) {
//		case "Data":
//			for r.Array(); r.Element(); {
//				...
//			}
//		default:
//			r.Skip()
//		}
//	}
//	err := r.Close()
//
// The first error sticks: every loop ends and Close returns it. Each field and
// element must be consumed by exactly one call. Only New makes a usable Reader. It
// is not safe for concurrent use.
type Reader struct {
	src      io.Reader
	buf      []byte // bytes read and not consumed are buf[pos:end]
	pos, end int
	key      []byte
	scratch  []byte // a string that had escapes or crossed the buffer's edge
	depth    int
	fresh    bool // the container just opened: no comma is due
	err      error
}

// New returns a Reader of src.
func New(src io.Reader) *Reader {
	r := &Reader{buf: make([]byte, bufferSize)}
	r.Reset(src)
	return r
}

// Reset makes the Reader read src from its beginning, keeping its buffers.
func (r *Reader) Reset(src io.Reader) {
	*r = Reader{src: src, buf: r.buf, key: r.key[:0], scratch: r.scratch[:0]}
	if r.ahead(3) && bytes.HasPrefix(r.buf[r.pos:r.end], []byte("\xef\xbb\xbf")) {
		r.pos += 3
	}
}

// Close returns the first error, or a complaint when anything but white space
// follows the value.
func (r *Reader) Close() error {
	if r.err == nil && r.peek() != 0 {
		r.fail("text after the value")
	}
	return r.err
}

func (r *Reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errSyntax, what)
	}
	r.pos, r.end = 0, 0
}

// fill reads more, keeping the unconsumed bytes, and reports whether any came.
func (r *Reader) fill() bool {
	if r.err != nil || r.src == nil {
		return false
	}
	if r.pos > 0 {
		r.end = copy(r.buf, r.buf[r.pos:r.end])
		r.pos = 0
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		switch {
		case errors.Is(err, io.EOF):
			r.src = nil // what arrived with it is still to be read
			return n > 0
		case err != nil:
			r.err = err
			return false
		case n > 0:
			return true
		}
	}
	r.err = io.ErrNoProgress
	return false
}

// ahead makes n bytes available, n being small, if the stream has them.
func (r *Reader) ahead(n int) bool {
	for r.end-r.pos < n {
		if !r.fill() {
			return false
		}
	}
	return true
}

// peek returns the next byte that is not white space without consuming it, 0 at
// the end.
func (r *Reader) peek() byte {
	if r.pos < r.end && r.buf[r.pos] > ' ' {
		return r.buf[r.pos] // small enough to be inlined: most texts have no white space
	}
	return r.pastSpace()
}

// pastSpace is peek where white space, or nothing that was read, comes next.
func (r *Reader) pastSpace() byte {
	for {
		for r.pos < r.end {
			switch c := r.buf[r.pos]; c {
			case ' ', '\t', '\n', '\r':
				r.pos++
			case 0:
				return 1 // as unfit to begin anything, and not the end
			default:
				return c
			}
		}
		if !r.fill() {
			return 0
		}
	}
}
