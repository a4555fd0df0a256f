package cas

import (
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/cas/jsonstream"
	"aliyun_cas_exporter/internal/reason"
)

const (
	// maxLabel bounds a text that becomes a label value, in bytes.
	maxLabel = 1024
	// maxRows bounds the rows of an answer, unless more were asked for: a row takes far
	// more memory than it may take of the answer.
	maxRows = 1000
	// maxKnown bounds the remembered texts of a decoder; see knownText.
	maxKnown = 512
	// maxSeconds is the year 10000; what is later is no time but a mistake.
	maxSeconds = 253402300800
)

// decoder reads answers. It remembers the few texts that repeat in every row, so
// that a row costs no allocation for them.
type decoder struct {
	*jsonstream.Reader
	known   map[string]string
	details [5][]byte // of the current worker; see detail
}

// decoders keeps decoders with their buffers between answers.
type decoders struct{ pool sync.Pool }

func (p *decoders) decode(body io.Reader, read func(*decoder) error) error {
	d, ok := p.pool.Get().(*decoder)
	if !ok {
		d = &decoder{Reader: jsonstream.New(body), known: map[string]string{}}
	} else {
		d.Reset(body)
	}
	defer p.pool.Put(d)
	err := read(d)
	if syntax := d.Close(); syntax != nil {
		return undocumented("%w", syntax)
	}
	return err
}

// envelope is what every answer may carry beside its own fields.
type envelope struct {
	code, message, requestID string
	total, showSize          int64
	hasTotal, hasData        bool
}

// field reads a field that answers share and reports whether it was one.
func (e *envelope) field(d *decoder) (bool, error) {
	var err error
	switch string(d.Key()) {
	case "Code":
		e.code = d.text()
	case "Message":
		e.message = d.text()
	case "RequestId":
		e.requestID = d.text()
	case "Total":
		e.total, err = d.integer("Total")
		e.hasTotal = err == nil
	case "ShowSize":
		// Absent or unreadable, it is simply not known.
		e.showSize, _ = d.integer("ShowSize")
	default:
		return false, nil
	}
	return true, err
}

// refusal returns an error when the answer, which came with status 200, says
// that the call failed. Some gateways put a code of success into good answers.
func (e *envelope) refusal() error {
	switch strings.ToLower(e.code) {
	case "", "200", "ok", "success":
		return nil
	}
	return rpc.Refused(200, e.code, e.message, e.requestID)
}

// object iterates over the fields of the next object, which must be one.
func (d *decoder) object(what string, field func() error) error {
	if d.Kind() != jsonstream.Object {
		d.Skip()
		return undocumented("%s is not an object", what)
	}
	var first error
	for d.Object(); d.Field(); {
		if err := field(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// list iterates over the elements of the next array, at most so many. null is an empty
// one.
func (d *decoder) list(what string, most int, element func() error) error {
	switch d.Kind() {
	case jsonstream.Null:
		d.Skip()
		return nil
	case jsonstream.Array:
	default:
		d.Skip()
		return undocumented("%s is not a list", what)
	}
	var first error
	n := 0
	for d.Array(); d.Element(); {
		if n++; n > most {
			d.Skip()
			continue
		}
		if err := element(); err != nil && first == nil {
			first = err
		}
	}
	if n > most {
		return undocumented("%s holds more than %d rows", what, most)
	}
	return first
}

// integer reads a whole number, bare or quoted.
func (d *decoder) integer(what string) (int64, error) {
	b := d.Scalar()
	n, err := strconv.ParseInt(string(b), 10, 64)
	switch {
	case err == nil:
		return n, nil
	case len(b) == 0:
		return 0, undocumented("%s is missing", what)
	case errors.Is(err, strconv.ErrRange):
		return 0, undocumented("%s is out of range", what)
	default:
		return 0, undocumented("%s is not a whole number", what)
	}
}

// text reads any scalar as valid UTF-8 of bounded length.
func (d *decoder) text() string { return label(d.Scalar()) }

// knownText is text for values of which there are few.
func (d *decoder) knownText() string {
	b := d.Scalar()
	if s, ok := d.known[string(b)]; ok {
		return s
	}
	s := label(b)
	if len(b) > maxLabel {
		return s // what is remembered must not grow with what is sent
	}
	if len(d.known) >= maxKnown {
		clear(d.known)
	}
	d.known[string(b)] = s
	return s
}

func label(b []byte) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), 4*maxLabel)]), "\uFFFD")
	if len(s) > maxLabel {
		s = strings.ToValidUTF8(s[:maxLabel-len("…")], "") + "…"
	}
	return s
}

// time reads an instant; the zero time where there is no readable one. The API
// documents seconds and sends milliseconds, as numbers or as strings.
func (d *decoder) time() time.Time {
	b := d.Scalar()
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		// Encoders of floats write 1.680228896E12.
		if f, _ := strconv.ParseFloat(string(b), 64); 0 < f && f < 1e18 {
			n, err = int64(f), nil
		}
	}
	if err != nil || n <= 0 {
		return time.Time{}
	}
	if n > 1e11 {
		if n/1000 >= maxSeconds {
			return time.Time{}
		}
		return time.UnixMilli(n).UTC()
	}
	return time.Unix(n, 0).UTC()
}

// count reads a number of things; -1 where there is no readable one.
func (d *decoder) count() int64 {
	n, err := strconv.ParseInt(string(d.Scalar()), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return -1
	}
	return n
}

func undocumented(format string, args ...any) error {
	return reason.Errorf(reason.Decode, format, args...)
}
