package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/internal/proctest"
	"aliyun_cas_exporter/internal/server"
)

// TestMain has small heaps collected less often: that costs more time than it saves memory.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

// fixture is a server with what it is given.
type fixture struct {
	*server.Server
	registry *prometheus.Registry
	facts    *collector.Collector // of newExporter
	ready    *atomic.Bool
	log      *proctest.Output
}

// newServer returns a server of a registry with one gauge and one histogram; change
// may alter its options.
func newServer(tb testing.TB, change func(*server.Options)) *fixture {
	tb.Helper()
	f := &fixture{registry: prometheus.NewPedanticRegistry(), ready: &atomic.Bool{}, log: &proctest.Output{}}
	good := prometheus.NewGauge(prometheus.GaugeOpts{Name: "good", Help: "A gauge."})
	times := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "times_seconds", Help: "A histogram.", Buckets: []float64{.1, 1}, NativeHistogramBucketFactor: 1.1,
	})
	good.Set(42)
	times.Observe(.5)
	f.registry.MustRegister(good, times)
	o := server.Options{
		TelemetryPath: "/metrics", Registerer: f.registry, Gatherer: f.registry, Facts: written(func(io.Writer) error { return nil }),
		ProbeTargets: func(w io.Writer) error { _, err := io.WriteString(w, "[]\n"); return err },
		Ready:        f.ready.Load, Status: func() server.Status { return server.Status{} },
		Detail: func(string, string, int64) (collector.Detail, bool) {
			return collector.Detail{Reported: -1, Matched: -1}, true
		},
		Runbooks: "# Runbooks\n", Logger: slog.New(slog.NewTextHandler(f.log, nil)),
	}
	if change != nil {
		change(&o)
	}
	s, err := server.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	f.Server = s
	return f
}

// run serves on loopback until the test ends, and returns the address.
func (f *fixture) run(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx, narrow{l}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended: %v", err)
		}
	})
	return l.Addr().String()
}

// ask asks the handler, headers as name, value, ...
func (f *fixture) ask(method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	return w
}

func TestEndpoints(t *testing.T) {
	f := newServer(t, nil)
	for _, test := range []struct {
		method, path string
		status       int
		contentType  string
		holds        string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "<h1>"},
		{"GET", "/runbooks", 200, "text/html; charset=utf-8", "Runbooks</h1>"},
		{"GET", "/probe-targets", 503, "text/plain; charset=utf-8", "the first poll has not ended"},
		{"GET", "/style.css", 200, "text/css; charset=utf-8", "body {"},
		{"GET", "/icon.svg", 200, "image/svg+xml", "<svg"},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "good 42"},
		{"GET", "/-/healthy", 200, "text/plain; charset=utf-8", "healthy"},
		{"GET", "/-/ready", 503, "text/plain; charset=utf-8", "the first poll has not ended"},
		{"HEAD", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{"HEAD", "/", 200, "text/html; charset=utf-8", ""},
		{"POST", "/metrics", 405, "text/plain; charset=utf-8", ""},
		{"DELETE", "/-/healthy", 405, "text/plain; charset=utf-8", ""},
		{"POST", "/", 405, "text/plain; charset=utf-8", ""},
		{"GET", "/jobs/8888", 404, "text/html; charset=utf-8", "Job 8888 is not watched</h1>"},
		{"GET", "/jobs/", 404, "text/html; charset=utf-8", "There is no such job</h1>"},
		{"GET", "/jobs", 307, "text/html; charset=utf-8", "/jobs/"},
		{"GET", "/nothing", 404, "text/plain; charset=utf-8", ""},
		{"GET", "/metrics/", 404, "text/plain; charset=utf-8", ""},
		{"GET", "/server.go", 404, "text/plain; charset=utf-8", ""},
		{"GET", "/debug/pprof/", 404, "text/plain; charset=utf-8", ""},
		{"GET", "/debug/pprof/heap", 404, "text/plain; charset=utf-8", ""},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			w := f.ask(test.method, test.path)
			if w.Code != test.status || w.Header().Get("Content-Type") != test.contentType || !strings.Contains(w.Body.String(), test.holds) {
				t.Errorf("got %d %q, want %d %q with %q:\n%.300s",
					w.Code, w.Header().Get("Content-Type"), test.status, test.contentType, test.holds, w.Body)
			}
			form := map[bool]string{true: "'self'", false: "'none'"}[test.path == "/" && test.status == 200]
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action " + form,
				"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if test.status == 405 && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: got %q, want GET, HEAD", w.Header().Get("Allow"))
			}
		})
	}
}

func TestReadyFollowsTheFirstPoll(t *testing.T) {
	f := newServer(t, nil)
	for _, ready := range []bool{false, true} {
		f.ready.Store(ready)
		if got, want := f.ask("GET", "/-/ready").Code, map[bool]int{false: 503, true: 200}[ready]; got != want {
			t.Errorf("ready is %v: got %d, want %d", ready, got, want)
		}
		if got := f.ask("GET", "/-/healthy").Code; got != 200 {
			t.Errorf("ready is %v: health is %d, want 200", ready, got)
		}
	}
}

func TestPprofWhenEnabled(t *testing.T) {
	f := newServer(t, func(o *server.Options) { o.EnablePprof = true })
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2"} {
		if w := f.ask("GET", path); w.Code != 200 || w.Body.Len() == 0 {
			t.Errorf("%s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
	}
}

// TestFormats asks as Prometheus does, and reads the answer with its own decoders.
func TestFormats(t *testing.T) {
	f := newServer(t, nil)
	const (
		prometheus3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5," +
			"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
		protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	)
	for _, test := range []struct{ accept, encoding, contentType, encoded string }{
		{"", "", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{"text/html,application/xhtml+xml,*/*;q=0.8", "", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{"text/plain;version=0.0.4", "gzip", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "gzip"},
		{"text/plain", "deflate, GZIP;q=0.5", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "gzip"},
		{"text/plain", "gzip;q=0", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{"text/plain", "br, zstd", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{prometheus3, "gzip", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8", "gzip"},
		{protobuf + ";q=0.7," + prometheus3, "gzip", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores", "gzip"},
		{protobuf, "", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores", ""},
		{strings.Repeat("a/b,", 3000), "", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
	} {
		w := f.ask("GET", "/metrics", "Accept", test.accept, "Accept-Encoding", test.encoding)
		if got := w.Header().Get("Content-Type"); got != test.contentType {
			t.Errorf("Accept %.40q: got %q, want %q", test.accept, got, test.contentType)
		}
		if got := w.Header().Get("Content-Encoding"); got != test.encoded {
			t.Errorf("Accept-Encoding %q: got %q, want %q", test.encoding, got, test.encoded)
		}
		if got := strings.Join(w.Header().Values("Vary"), ", "); got != "Accept, Accept-Encoding" {
			t.Errorf("Vary: %q", got)
		}
		families := decode(t, w)
		if got := families["good"].GetMetric()[0].GetGauge().GetValue() + families["good"].GetMetric()[0].GetUntyped().GetValue(); got != 42 {
			t.Errorf("Accept %.40q: good is %v, want 42", test.accept, got)
		}
		if native := families["times_seconds"].GetMetric()[0].GetHistogram().GetPositiveSpan(); strings.Contains(test.contentType, "protobuf") && len(native) == 0 {
			t.Error("protobuf: the native histogram is missing")
		}
	}
}

// decode reads an exposition.
func decode(t *testing.T, w *httptest.ResponseRecorder) map[string]*dto.MetricFamily {
	t.Helper()
	body, err := plain(w.Header(), w.Body)
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]*dto.MetricFamily{}
	format := expfmt.ResponseFormat(w.Header())
	if format.FormatType() == expfmt.TypeOpenMetrics {
		text, found := bytes.CutSuffix(body, []byte("# EOF\n"))
		if !found {
			t.Errorf("OpenMetrics without its end: %q", body)
		}
		body, format = text, expfmt.FmtText // near enough for what is asked here
	}
	decoder := expfmt.NewDecoder(bytes.NewReader(body), format)
	for {
		var family dto.MetricFamily
		switch err := decoder.Decode(&family); {
		case errors.Is(err, io.EOF):
			return families
		case err != nil:
			t.Fatalf("%s: %v in\n%s", format, err, body)
		}
		families[family.GetName()] = &family
	}
}

// plain undoes the compression of an answer.
func plain(h http.Header, body io.Reader) ([]byte, error) {
	if h.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = zip
	}
	return io.ReadAll(body)
}

// TestProfilesOutliveTheWriteTimeout takes a profile that is longer than other answers
// may be.
func TestProfilesOutliveTheWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newServer(t, func(o *server.Options) { o.EnablePprof = true })
		start := time.Now()
		status, body := f.serveInMemory(t).get(t, "/debug/pprof/allocs?seconds=40")
		if took := time.Since(start); status != 200 || len(body) == 0 || took < 40*time.Second {
			t.Errorf("got %d, %d bytes after %v", status, len(body), took)
		}
	})
}
