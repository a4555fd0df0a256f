package server_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"aliyun_cas_exporter/internal/server"
)

// TestProbeTargets serves the document like the metrics, and tells who has it already that
// it did not change.
func TestProbeTargets(t *testing.T) {
	document, rendered := `[{"targets":["www.example.com:443"],"labels":{}}]`, 0
	f := newServer(t, func(o *server.Options) {
		o.ProbeTargets = func(w io.Writer) error {
			rendered++
			_, err := io.WriteString(w, document)
			return err
		}
	})
	f.ready.Store(true)
	first := f.ask("GET", "/probe-targets")
	tag := first.Header().Get("ETag")
	if first.Code != 200 || first.Body.String() != document || first.Header().Get("Content-Type") != "application/json" || tag == "" {
		t.Errorf("got %d %v %s", first.Code, first.Header(), first.Body)
	}
	zipped := f.ask("GET", "/probe-targets", "Accept-Encoding", "gzip")
	if got, err := plain(zipped.Header(), zipped.Body); err != nil || zipped.Header().Get("Content-Encoding") != "gzip" || string(got) != document || zipped.Header().Get("ETag") != tag {
		t.Errorf("compressed: got %v %q", zipped.Header(), got)
	}
	if rendered != 1 {
		t.Errorf("two requests in a second render it %d times", rendered)
	}
	for offer, status := range map[string]int{
		tag: 304, `"other", ` + tag: 304, "*": 304, strings.TrimPrefix(tag, "W/"): 304,
		`"other"`: 200, "": 200, "x" + tag: 200,
	} {
		w := f.ask("GET", "/probe-targets", "If-None-Match", offer)
		if w.Code != status || w.Header().Get("ETag") != tag || (w.Body.Len() > 0) != (status == 200) {
			t.Errorf("If-None-Match: %s: got %d with %d bytes, want %d", offer, w.Code, w.Body.Len(), status)
		}
	}
	f.Freshness(0)
	if w := f.ask("GET", "/probe-targets", "If-None-Match", tag); w.Code != 304 {
		t.Errorf("rendered again, the same: got %d", w.Code)
	}
	document = "[]"
	if w := f.ask("GET", "/probe-targets", "If-None-Match", tag); w.Code != 200 || w.Body.String() != "[]" || w.Header().Get("ETag") == tag {
		t.Errorf("after a change: got %d %s", w.Code, w.Body)
	}
	if w := f.ask("POST", "/probe-targets"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d", w.Code)
	}
}

func TestBrokenProbeTargets(t *testing.T) {
	f := newServer(t, func(o *server.Options) {
		o.ProbeTargets = func(io.Writer) error { return errors.New("secret detail") }
	})
	if w := f.ask("GET", "/probe-targets"); w.Code != 503 {
		t.Errorf("before the first poll: got %d, want 503", w.Code)
	}
	f.ready.Store(true)
	if w := f.ask("GET", "/probe-targets", "If-None-Match", "*"); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %q, want 500 without details", w.Code, w.Body)
	}
}
