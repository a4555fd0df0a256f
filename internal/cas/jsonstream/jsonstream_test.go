package jsonstream_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"aliyun_cas_exporter/internal/cas/jsonstream"
)

// generic rebuilds the value with json.Number for numbers, as encoding/json
// does with UseNumber.
func generic(r *jsonstream.Reader) any {
	switch r.Kind() {
	case jsonstream.Object:
		m := map[string]any{}
		for r.Object(); r.Field(); {
			key := string(r.Key())
			m[key] = generic(r)
		}
		return m
	case jsonstream.Array:
		a := []any{}
		for r.Array(); r.Element(); {
			a = append(a, generic(r))
		}
		return a
	case jsonstream.String:
		return string(r.Scalar())
	case jsonstream.Number:
		return json.Number(r.Scalar())
	case jsonstream.Bool:
		return string(r.Scalar()) == "true"
	case jsonstream.Null:
		r.Scalar()
	default:
		r.Skip() // fails
	}
	return nil
}

// chunks reads in pieces of odd sizes, so that tokens cross the buffer's edge.
type chunks struct {
	r   io.Reader
	rnd *rand.Rand
}

func (c chunks) Read(p []byte) (int, error) {
	return c.r.Read(p[:min(len(p), 1+c.rnd.IntN(7))])
}

func FuzzAgreesWithEncodingJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		r := jsonstream.New(chunks{bytes.NewReader(text), rand.New(rand.NewPCG(1, uint64(len(text))))})
		got := generic(r)
		err := r.Close()

		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var want any
		if dec.Decode(&want) != nil || dec.More() || dec.InputOffset() > 0 && trailing(text[dec.InputOffset():]) {
			if err == nil && !json.Valid(strict(text)) {
				t.Errorf("accepted %q, which encoding/json refuses", text)
			}
			return
		}
		if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 500 || len(text) > 8000 || !utf8.Valid(text) {
			return // beyond our own bounds, or a matter of taste
		}
		if err != nil {
			t.Fatalf("refused %q: %v", text, err)
		}
		gotText, _ := json.Marshal(got)
		wantText, _ := json.Marshal(want)
		if !bytes.Equal(gotText, wantText) {
			t.Errorf("got %s, want %s", gotText, wantText)
		}
	})
}

func trailing(rest []byte) bool { return len(bytes.TrimLeft(rest, " \t\r\n")) > 0 }

// strict removes what this package takes on purpose and encoding/json does not: a byte
// order mark, and raw control characters in strings.
func strict(text []byte) []byte {
	var out []byte
	inString, escaped := false, false
	for _, c := range bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) {
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString && c < ' ':
			c = ' '
		}
		out = append(out, c)
	}
	return out
}

func TestLongTokensCrossTheBuffer(t *testing.T) {
	long := strings.Repeat("0123456789", 5000)
	for name, text := range map[string]string{
		"plain":   `["` + long + `",1]`,
		"escaped": `["` + strings.Repeat(`\n`, 50000) + `",1]`,
		"spaces":  strings.Repeat(" ", 50000) + "[1]",
	} {
		r := jsonstream.New(iotest.OneByteReader(strings.NewReader(text)))
		generic(r)
		if err := r.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsOfTheStreamPass(t *testing.T) {
	broken := errors.New("connection reset")
	r := jsonstream.New(io.MultiReader(strings.NewReader(`{"a":[1,`), iotest.ErrReader(broken)))
	generic(r)
	if err := r.Close(); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestReuseKeepsNothing(t *testing.T) {
	r := jsonstream.New(strings.NewReader(`{"a":`))
	generic(r)
	if r.Close() == nil {
		t.Fatal("an unfinished object was accepted")
	}
	r.Reset(strings.NewReader(`[]`))
	if _, ok := generic(r).([]any); !ok || r.Close() != nil {
		t.Errorf("after Reset: %v", r.Close())
	}
}
