package jsonstream

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted consumes a string, whose quote is next, and returns its content: in
// the buffer where it stands there whole and plain, else in scratch.
func (r *Reader) quoted() []byte {
	r.pos++
	if content, ok := r.plain(); ok {
		return content
	}
	r.scratch = r.scratch[:0]
	for {
		n := bytes.IndexAny(r.buf[r.pos:r.end], `"\`)
		if n < 0 {
			r.scratch = append(r.scratch, r.buf[r.pos:r.end]...)
			r.pos = r.end
			if len(r.scratch) > maxString || !r.fill() {
				r.fail("a string does not end, or not within 1 MiB")
				return nil
			}
			continue
		}
		r.scratch = append(r.scratch, r.buf[r.pos:r.pos+n]...)
		r.pos += n + 1
		if r.buf[r.pos-1] == '"' {
			return r.scratch
		}
		if !r.escape() {
			r.fail("a string has a malformed escape")
			return nil
		}
	}
}

// plain consumes the rest of a string that is whole in the buffer and has no
// escape. Most are too short for a search by vector instructions to pay.
func (r *Reader) plain() ([]byte, bool) {
	for n, c := range r.buf[r.pos:r.end] {
		switch c {
		case '"':
			content := r.buf[r.pos : r.pos+n]
			r.pos += n + 1
			return content, true
		case '\\':
			return nil, false
		}
	}
	return nil, false
}

// escape consumes what follows a backslash and appends what it stands for.
func (r *Reader) escape() bool {
	if !r.ahead(1) {
		return false
	}
	c := r.buf[r.pos]
	r.pos++
	switch c {
	case '"', '\\', '/':
		r.scratch = append(r.scratch, c)
	case 'b':
		r.scratch = append(r.scratch, '\b')
	case 'f':
		r.scratch = append(r.scratch, '\f')
	case 'n':
		r.scratch = append(r.scratch, '\n')
	case 'r':
		r.scratch = append(r.scratch, '\r')
	case 't':
		r.scratch = append(r.scratch, '\t')
	case 'u':
		return r.unicode()
	default:
		return false
	}
	return true
}

// unicode consumes the digits of \uXXXX, and of a second one where the two are
// a surrogate pair. Half a pair becomes U+FFFD.
func (r *Reader) unicode() bool {
	first, ok := r.hex(0)
	if !ok {
		return false
	}
	r.pos += 4
	if utf16.IsSurrogate(first) {
		pair := rune(utf8.RuneError)
		if r.ahead(6) && r.buf[r.pos] == '\\' && r.buf[r.pos+1] == 'u' {
			if second, ok := r.hex(2); ok {
				pair = utf16.DecodeRune(first, second)
			}
		}
		if pair != utf8.RuneError {
			r.pos += 6
		}
		first = pair
	}
	r.scratch = utf8.AppendRune(r.scratch, first)
	return true
}

// hex reads four hexadecimal digits at an offset without consuming them.
func (r *Reader) hex(offset int) (rune, bool) {
	if !r.ahead(offset + 4) {
		return 0, false
	}
	digits := r.buf[r.pos+offset : r.pos+offset+4]
	n, err := strconv.ParseUint(string(digits), 16, 16)
	return rune(n), err == nil
}
