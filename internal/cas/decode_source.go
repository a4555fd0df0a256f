package cas

import (
	"bufio"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxPending bounds how far a decoder reads ahead of what it has consumed, in bytes:
	// the length of a text, or of the space before one.
	maxPending = 1 << 20

	byteOrderMark = "\xef\xbb\xbf"
)

var errTooLong = errors.New("a text is longer than 1 MiB")

// source is the body of an answer as a decoder reads it. It adds what jsontext does not
// promise: a text without end does not fill the memory, a body that sends nothing for
// ever ends, and a byte order mark does no harm.
type source struct {
	*bufio.Reader
	decoder *jsontext.Decoder // that reads this
	read    int64             // bytes that it was given
}

func (s *source) open(body io.Reader) {
	s.read = 0
	s.Reset(body)
	if body == nil {
		return
	}
	if start, _ := s.Peek(len(byteOrderMark)); string(start) == byteOrderMark {
		_, _ = s.Discard(len(byteOrderMark))
	}
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.read-s.decoder.InputOffset() > maxPending {
		return 0, errTooLong
	}
	if _, err := s.Peek(1); err != nil { // io.ErrNoProgress after a hundred reads of nothing
		return 0, err
	}
	n, err := s.Reader.Read(p)
	s.read += int64(n)
	return n, err
}
