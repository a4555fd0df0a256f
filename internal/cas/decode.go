package cas

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"aliyun_cas_exporter/internal/reason"
)

// maxBuffer is the size of the buffer of a decoder that met no long text, in bytes.
const maxBuffer = 4 << 10

var (
	errEmpty     = errors.New("the answer is empty")
	errTextAfter = errors.New("text after the answer")
)

// decoders keeps decoders with their buffers between answers.
type decoders struct{ pool sync.Pool }

// decode lets read consume an answer. A fault in the text comes before what read says
// about the content, which is that of half an answer then.
func (p *decoders) decode(body io.Reader, read func(*decoder) error) error {
	d, ok := p.pool.Get().(*decoder)
	if !ok {
		d = newDecoder()
	}
	d.begin(body)
	err := read(d)
	if broken := d.end(); broken != nil {
		err = broken
	}
	if !d.grown() {
		p.pool.Put(d)
	}
	return err
}

// decoder walks through an answer. Each value must be consumed by one call:
//
//	if d.enter('{') {
//		for d.field() {
//			switch string(d.key) {
//			case "Name":
//				name = d.text()
//			default:
//				d.skip()
//			}
//		}
//	}
//
// The first fault in the text ends every loop, and end returns it.
type decoder struct {
	json   *jsontext.Decoder
	source source
	key    []byte // of the current field, until its value is consumed
	broken error  // the first fault in the text, or of the reader that it comes from
	wrong  error  // the first thing in a sound text that is not as documented

	unquoted []byte            // the last string that did not stand for itself
	known    map[string]string // see knownText
}

func newDecoder() *decoder {
	d := &decoder{source: source{Reader: bufio.NewReader(nil)}, known: map[string]string{}}
	d.json = jsontext.NewDecoder(&d.source, options()...)
	d.source.decoder = d.json
	return d
}

// options make jsontext as tolerant as encoding/json is: of keys given twice the last one
// counts, and texts need not be UTF-8.
func options() []jsontext.Options {
	return []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
}

func (d *decoder) begin(body io.Reader) {
	d.broken, d.wrong = nil, nil
	d.source.open(body)
}

// end says what is wrong with the text, and makes the decoder ready for another one.
func (d *decoder) end() error {
	broken := d.broken
	switch after := d.token(); {
	case broken == nil && after == nil:
		broken = errTextAfter
	case broken == nil && !errors.Is(after, io.EOF):
		broken = after
	case errors.Is(broken, io.EOF):
		broken = errEmpty
	}
	d.source.open(nil)
	d.json.Reset(&d.source, options()...)
	if broken == nil {
		return nil
	}
	// What jsontext adds to this has keys of the answer, and those may echo what was sent.
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](broken); ok {
		return undocumented("invalid JSON after byte %d: %w", syntax.ByteOffset, syntax.Err)
	}
	return undocumented("invalid JSON: %w", broken)
}

// grown reports whether the decoder, after end, keeps a buffer that a long text made
// grow. The buffer is empty then, so its unread part has the capacity of the whole.
func (d *decoder) grown() bool { return cap(d.json.UnreadBuffer()) > maxBuffer }

// enter goes into the next value if it is of a kind, '{' or '[', and skips it if not.
func (d *decoder) enter(kind jsontext.Kind) bool {
	if d.kind() != kind {
		d.skip()
		return false
	}
	return d.token() == nil
}

// field reads the key of the next field; false at the object's end, and where no key
// can be.
func (d *decoder) field() bool {
	if d.kind() != jsontext.KindString {
		_ = d.token()
		return false
	}
	name := d.next()
	if d.broken != nil {
		return false
	}
	if bytes.IndexByte(name, '\\') < 0 {
		d.key = name[1 : len(name)-1]
	} else {
		d.key = d.unquote(name)
	}
	return true
}

// element reports whether the list has another element, and leaves it where it has not.
func (d *decoder) element() bool {
	if next := d.kind(); next == jsontext.KindEndArray || next == jsontext.KindInvalid {
		_ = d.token()
		return false
	}
	return true
}

// kind tells what comes next; jsontext.KindInvalid if nothing sound does.
func (d *decoder) kind() jsontext.Kind {
	if d.broken != nil {
		return jsontext.KindInvalid
	}
	return d.json.PeekKind()
}

// skip consumes a value of any kind and length.
func (d *decoder) skip() {
	for depth := d.json.StackDepth(); d.token() == nil && d.json.StackDepth() > depth; {
	}
}

// token consumes a bracket, a key, or a value without brackets.
func (d *decoder) token() error {
	if d.broken == nil {
		_, d.broken = d.json.ReadToken()
	}
	return d.broken
}

// next consumes a value, and returns its text.
func (d *decoder) next() (value jsontext.Value) {
	if d.broken == nil {
		value, d.broken = d.json.ReadValue()
	}
	return value
}

// unquote returns what a string stands for, as valid UTF-8: each run of other bytes, and
// half a surrogate pair, becomes U+FFFD.
func (d *decoder) unquote(quoted jsontext.Value) []byte {
	quoted = bytes.ToValidUTF8(quoted, []byte("\uFFFD"))
	d.unquoted, _ = jsontext.AppendUnquote(d.unquoted[:0], quoted) // an error is about half a pair
	return d.unquoted
}

func undocumented(format string, args ...any) error {
	return reason.Errorf(reason.Decode, format, args...)
}
