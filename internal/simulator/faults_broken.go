package simulator

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"time"
)

// broken are answers that do not arrive, or not as what they claim to be.
func broken() map[string]fault {
	return map[string]fault{
		"empty-200":  raw("status 200 without a body", 200, js, ""),
		"not-json":   raw("status 200 with a page", 200, html, "<html>hello</html>"),
		"json-null":  raw("null as answer", 200, js, "null"),
		"json-array": raw("a list as answer", 200, js, "[]"),
		"no-content-204": handler("status 204", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}),
		"redirect": handler("a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		}),
		"reset": handler("the connection is cut before an answer", func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}),
		"truncated-body": handler("the body is shorter than announced", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"Total":1,"Data":[{"Id":1,`))
		}),
		"slow-headers":   handler("no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
		"slow-body":      handler("one byte a second", trickle),
		"endless-body":   handler("a body without end", endless(nil, []byte(" "))),
		"endless-rows":   handler("rows without end", endless([]byte(`{"Total":1,"Data":[`), []byte(`{"Id":1,"Status":"error","CloudProduct":"SLB"},`))),
		"endless-string": handler("a string without end", endless([]byte(`{"Total":1,"Data":[{"Id":1,"CertName":"`), []byte("A"))),
		"oversized-body": handler("100 MB of rows", oversized),
		"deep-json":      raw("100,000 nested lists", 200, js, `{"Total":0,"x":`+strings.Repeat("[", 100_000)),
		"gzip-bomb":      handler("1 GB of spaces in 1 MB of gzip", bomb),
		"cut-json":       {does: "the text ends early in a whole body", text: func(b []byte) []byte { return b[:len(b)/2] }},
		"trailing":       {does: "text after the answer", text: func(b []byte) []byte { return append(b, "{}"...) }},
		"bom":            {does: "a byte order mark before the answer", text: func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) }},
		"lowercase-keys": {does: "keys in lower case", text: func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("Total"), []byte("total"))
		}},
	}
}

// endless writes a text for ever.
func endless(first, again []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write(first)
		for chunk := bytes.Repeat(again, 1+(64<<10)/len(again)); err == nil && r.Context().Err() == nil; {
			_, err = w.Write(chunk)
		}
	}
}

func trickle(w http.ResponseWriter, r *http.Request) {
	for wait(r, time.Second) {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
}

func oversized(w http.ResponseWriter, _ *http.Request) {
	row := []byte(`{"Id":1,"Status":"success","CloudProduct":"SLB","RegionId":"cn-hangzhou"},`)
	_, err := w.Write([]byte(`{"Total":1,"Data":[`))
	for n := 0; n < 100_000_000 && err == nil; n += 1000 * len(row) {
		_, err = w.Write(bytes.Repeat(row, 1000))
	}
	_, _ = w.Write([]byte(`{"Id":1}]}`))
}

func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	zip := gzip.NewWriter(w)
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	var err error
	for n := 0; n < 1000 && err == nil; n++ {
		_, err = zip.Write(spaces)
	}
	_ = zip.Close()
}
