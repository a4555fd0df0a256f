package jsonstream

import "strings"

// Kind tells what comes next by its first byte.
type Kind byte

// The kinds of JSON values. End stands for the end of the text and for an error.
const (
	End    Kind = 0
	Null   Kind = 'n'
	Bool   Kind = 't'
	Number Kind = '0'
	String Kind = '"'
	Object Kind = '{'
	Array  Kind = '['
)

// Kind returns the kind of the next value without consuming it.
func (r *Reader) Kind() Kind {
	switch c := r.peek(); c {
	case '"', '{', '[', 'n', 't', 0:
		return Kind(c)
	case 'f':
		return Bool
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return Number
		}
		r.fail("a value must follow")
		return End
	}
}

// Object opens an object; Field iterates over it.
func (r *Reader) Object() { r.open('{') }

// Array opens an array; Element iterates over it.
func (r *Reader) Array() { r.open('[') }

func (r *Reader) open(bracket byte) {
	switch {
	case r.peek() != bracket:
		r.fail("expected " + string(bracket))
	case r.depth == maxDepth:
		r.fail("nested too deeply")
	default:
		r.pos++
		r.depth++
		r.fresh = true
	}
}

// Field moves to the next field of the object and reads its key; false at the
// object's end and after an error.
func (r *Reader) Field() bool {
	if !r.next('}') {
		return false
	}
	if r.peek() != '"' {
		r.fail("a key must be a string")
		return false
	}
	r.key = append(r.key[:0], r.quoted()...)
	if r.peek() != ':' {
		r.fail("a key must be followed by a colon")
		return false
	}
	r.pos++
	return true
}

// Key returns the key that Field read. It is valid until the next Field.
func (r *Reader) Key() []byte { return r.key }

// Element moves to the next element of the array; false at the array's end and
// after an error.
func (r *Reader) Element() bool { return r.next(']') }

func (r *Reader) next(bracket byte) bool {
	c := r.peek()
	switch {
	case r.err != nil:
		return false
	case c == bracket:
		r.pos++
		r.depth--
		r.fresh = false
		return false
	case r.fresh:
		r.fresh = false
		return true
	case c != ',':
		r.fail("expected a comma or " + string(bracket))
		return false
	}
	r.pos++
	return true
}

// Scalar consumes the next value and returns it: a string's content, a number
// as it is written, true, false, and nothing for null. An object or array is
// skipped and gives nothing. The bytes are valid until the next call.
func (r *Reader) Scalar() []byte { return r.scalar(r.Kind()) }

func (r *Reader) scalar(kind Kind) []byte {
	switch kind {
	case String:
		return r.quoted()
	case Number:
		return r.number()
	case Bool:
		if r.buf[r.pos] == 't' {
			return r.word("true")
		}
		return r.word("false")
	case Null:
		r.word("null")
	default:
		r.Skip()
	}
	return nil
}

// Skip consumes the next value, whatever it is.
func (r *Reader) Skip() {
	switch kind := r.Kind(); kind {
	case Object:
		for r.Object(); r.Field(); {
			r.Skip()
		}
	case Array:
		for r.Array(); r.Element(); {
			r.Skip()
		}
	case End:
		r.fail("the text ends early")
	default:
		r.scalar(kind)
	}
}

// word consumes a literal.
func (r *Reader) word(word string) []byte {
	if !r.ahead(len(word)) || string(r.buf[r.pos:r.pos+len(word)]) != word {
		r.fail("expected " + word)
		return nil
	}
	r.pos += len(word)
	return r.buf[r.pos-len(word) : r.pos]
}

// number consumes a number. Its first byte is known to be a digit or a minus.
func (r *Reader) number() []byte {
	// Most are ids and times: nothing but digits, and whole in the buffer.
	n := 0
	for r.pos+n < r.end && '0' <= r.buf[r.pos+n] && r.buf[r.pos+n] <= '9' {
		n++
	}
	if r.pos+n < r.end && !ofNumber(r.buf[r.pos+n]) && (n == 1 || n > 0 && r.buf[r.pos] != '0') {
		r.pos += n
		return r.buf[r.pos-n : r.pos]
	}
	for r.pos+n < r.end || r.fill() {
		if !ofNumber(r.buf[r.pos+n]) {
			break
		}
		if n++; n == len(r.buf)/2 {
			r.fail("a number is too long")
			return nil
		}
	}
	if r.err != nil || !validNumber(r.buf[r.pos:r.pos+n]) {
		r.fail("a number is malformed")
		return nil
	}
	r.pos += n
	return r.buf[r.pos-n : r.pos]
}

func ofNumber(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '.' || c == '+' || c == 'e' || c == 'E'
}

// validNumber reports whether b is -? (0|[1-9]digits) (.digits)? ([eE][+-]?digits)?
func validNumber(b []byte) bool {
	b = optional(b, "-")
	whole := b
	b, ok := digits(b)
	if !ok || whole[0] == '0' && len(whole)-len(b) > 1 {
		return false
	}
	if rest := optional(b, "."); len(rest) < len(b) {
		if b, ok = digits(rest); !ok {
			return false
		}
	}
	if rest := optional(b, "eE"); len(rest) < len(b) {
		if b, ok = digits(optional(rest, "+-")); !ok {
			return false
		}
	}
	return len(b) == 0
}

// optional returns b without its first byte if that is one of bytes.
func optional(b []byte, bytes string) []byte {
	if len(b) > 0 && strings.IndexByte(bytes, b[0]) >= 0 {
		return b[1:]
	}
	return b
}

// digits returns b without its leading digits, of which there must be one.
func digits(b []byte) (rest []byte, ok bool) {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return b[n:], n > 0
}
