package cas

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxLabel bounds a text that becomes a label value, in bytes.
	maxLabel = 1024
	// maxKnown bounds the remembered texts of a decoder; see knownText.
	maxKnown = 512
	// What is before the year 1971, or after the year 9999, is no time but a mistake.
	minSeconds = 31536000
	maxSeconds = 253402300800
)

// scalar consumes the next value and returns it: a string's content as valid UTF-8, a
// number as it is written, true, false; nothing for null, a list or an object. The bytes
// are valid until the decoder's next step.
func (d *decoder) scalar() []byte { return d.content(d.next()) }

// content is what scalar returns of a value.
func (d *decoder) content(value jsontext.Value) []byte {
	switch value.Kind() {
	case jsontext.KindString:
		if bytes.IndexByte(value, '\\') < 0 && utf8.Valid(value) {
			return value[1 : len(value)-1]
		}
		return d.unquote(value)
	case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
		return value
	default:
		return nil
	}
}

// integer reads a whole number, bare or quoted; 0, and an answer that is not documented,
// where there is none.
func (d *decoder) integer(what string) int64 {
	b := d.scalar()
	n, err := strconv.ParseInt(string(b), 10, 64)
	switch {
	case err == nil:
		return n
	case len(b) == 0:
		d.complain("%s is missing", what)
	case errors.Is(err, strconv.ErrRange):
		d.complain("%s is out of range", what)
	default:
		d.complain("%s is not a whole number", what)
	}
	return 0
}

// complain keeps the first thing that is not as documented.
func (d *decoder) complain(format string, args ...any) {
	if d.wrong == nil {
		d.wrong = undocumented(format, args...)
	}
}

// number reads a whole number; 0 where there is no readable one.
func (d *decoder) number() int64 {
	n, err := strconv.ParseInt(string(d.scalar()), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// count reads a number of things; -1 where there is no readable one.
func (d *decoder) count() int64 {
	n, err := strconv.ParseInt(string(d.scalar()), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return -1
	}
	return n
}

// time reads an instant; the zero time where there is no readable one. The API
// documents seconds and sends milliseconds, as numbers or as strings.
func (d *decoder) time() time.Time {
	b := d.scalar()
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		// Encoders of floats write 1.680228896E12.
		if f, _ := strconv.ParseFloat(string(b), 64); 0 < f && f < 1e18 {
			n, err = int64(f), nil
		}
	}
	if err != nil || n < minSeconds {
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

// text reads any scalar as a label value.
func (d *decoder) text() string { return label(d.scalar()) }

// knownText is text for values of which there are few: they cost no allocation.
func (d *decoder) knownText() string { return d.remembered(d.next()) }

// remembered returns the same string as label does of a value's content, each time.
func (d *decoder) remembered(value jsontext.Value) string {
	if s, ok := d.known[string(value)]; ok {
		return s
	}
	s := label(d.content(value))
	if len(value) > maxLabel {
		return s // what is remembered must not grow with what is sent
	}
	if len(d.known) >= maxKnown {
		clear(d.known)
	}
	d.known[string(value)] = s
	return s
}

// label returns valid UTF-8 as a string of bounded length.
func label(b []byte) string {
	if len(b) <= maxLabel {
		return string(b)
	}
	return strings.ToValidUTF8(string(b[:maxLabel-len("…")]), "") + "…"
}
