package server_test

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"aliyun_cas_exporter/internal/server"
)

// families returns the names of an answer's families in their order.
func families(t *testing.T, format string, body []byte) (names []string) {
	t.Helper()
	if format != "protobuf" {
		for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllSubmatch(body, -1) {
			names = append(names, string(m[1]))
		}
		return names
	}
	for decoder := expfmt.NewDecoder(bytes.NewReader(body), expfmt.FmtProtoDelim); ; {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
			return names
		} else if err != nil {
			t.Fatal(err)
		}
		names = append(names, family.GetName())
	}
}

// TestFamiliesComeByNameAndOnce looks at a whole scrape in each format: facts and all the
// rest, sorted together.
func TestFamiliesComeByNameAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, poller, _ := newExporter(t, 10)
		poller.Poll(t.Context())
		counts := map[string]int{}
		for format, accept := range accepted() {
			body := f.ask("GET", "/metrics", "Accept", accept).Body.Bytes()
			names := families(t, format, body)
			if sorted := slices.Sorted(slices.Values(names)); len(slices.Compact(slices.Clone(sorted))) != len(names) {
				t.Errorf("%s: a family is there twice: %v", format, names)
			} else if format != "openmetrics" && !slices.Equal(names, sorted) { // where counters have shorter names
				t.Errorf("%s: families are not sorted: %v", format, names)
			}
			if counts[format] = len(names); bytes.Contains(body, []byte("# UNIT")) {
				t.Errorf("%s: there is a unit, which Prometheus takes for that of all families after it", format)
			}
			for _, name := range []string{"aliyun_cas_api_request_duration_seconds", "aliyun_cas_deployment_workers", "go_memstats_alloc_bytes", "go_memstats_alloc_bytes_total"} {
				if !slices.Contains(names, name) {
					t.Errorf("%s: %s is missing", format, name)
				}
			}
		}
		if counts["text"] != counts["openmetrics"] || counts["text"] != counts["protobuf"] {
			t.Errorf("families: %v, want the same number in each format", counts)
		}
	})
}

// TestNamedFamilies asks for some families by name[], as promhttp lets clients do.
func TestNamedFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, poller, _ := newExporter(t, 10)
		poller.Poll(t.Context())
		for query, want := range map[string][]string{
			"name[]=aliyun_cas_deployment_jobs":                                 {"aliyun_cas_deployment_jobs"},
			"name[]=go_info&name[]=aliyun_cas_deployment_job_up&name[]=go_info": {"aliyun_cas_deployment_job_up", "go_info"},
			"name[]=nothing": nil,
			"name=go_info":   families(t, "text", f.ask("GET", "/metrics").Body.Bytes()),
			"name[]=aliyun_cas_poll_failures_total&name[]=aliyun_cas_poll_failures": {"aliyun_cas_poll_failures_total"},
		} {
			for format, accept := range accepted() {
				got := families(t, format, f.ask("GET", "/metrics?"+query, "Accept", accept).Body.Bytes())
				if format == "openmetrics" {
					for i, name := range got {
						if slices.Contains(want, name+"_total") {
							got[i] += "_total"
						}
					}
				}
				if format == "openmetrics" && query == "name=go_info" {
					continue // counters have other names
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, %s (-want +got):\n%s", query, format, diff)
				}
			}
		}
		f.Freshness(time.Second) // what follows comes at one moment
		for query, want := range map[string]int{"name[]=go_info%0Ago_threads": 0, "name[]=go_info&name[]=go_threads": 2} {
			if got := families(t, "text", f.ask("GET", "/metrics?"+query).Body.Bytes()); len(got) != want {
				t.Errorf("%s: got %v, want %d families", query, got, want)
			}
		}
	})
}

// TestMetricsAboutServing counts scrapes by their status, and errors by their cause, as
// promhttp does.
func TestMetricsAboutServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails, broken := false, errors.New("it cannot be")
		f := newServer(t, func(o *server.Options) {
			o.Facts = facts(func(io.Writer) (error, error) {
				if fails {
					return nil, broken
				}
				return broken, nil
			})
		})
		next := func() string {
			time.Sleep(time.Second)
			return f.ask("GET", "/metrics").Body.String()
		}
		next() // one family is broken
		fails = true
		next() // nothing can be written
		fails = false
		text := next()
		for _, want := range []string{
			`promhttp_metric_handler_requests_total{code="200"} 1`, `promhttp_metric_handler_requests_total{code="500"} 1`,
			`promhttp_metric_handler_requests_total{code="503"} 0`, `promhttp_metric_handler_requests_in_flight 1`,
			`promhttp_metric_handler_errors_total{cause="gathering"} 1`, `promhttp_metric_handler_errors_total{cause="encoding"} 1`,
		} {
			if !strings.Contains(text, "\n"+want+"\n") {
				t.Errorf("%s is missing in\n%s", want, text)
			}
		}
	})
}

// facts are facts with errors.
type facts func(io.Writer) (broken, err error)

func (f facts) Write(w io.Writer, _ expfmt.FormatType, _ func(string) bool) (broken, err error) {
	return f(w)
}

// TestAcceptHeaders asks with forty Accept headers, of browsers, agents and every
// Prometheus, and reads each answer with expfmt's decoder of its type: the same series.
func TestAcceptHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, poller, _ := newExporter(t, 1)
		poller.Poll(t.Context())
		times := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "times_seconds", Help: "A histogram.", Buckets: []float64{1}, NativeHistogramBucketFactor: 1.1})
		times.Observe(.5)
		f.registry.MustRegister(times)
		const (
			om1, om0 = "application/openmetrics-text;version=1.0.0", "application/openmetrics-text;version=0.0.1"
			text     = "text/plain;version=0.0.4"
			proto    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
		)
		headers := []string{
			"", "*/*", "text/*", "text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json", "image/*", "garbage", ";;;", ",,,",
			"text/plain", "text/plain;version=0.0.3", "text/plain;version=2", "text/plain;charset=latin1", "application/openmetrics-text",
			"application/openmetrics-text;version=9", "application/*", "application/vnd.google.protobuf", "*/*;q=0", strings.Repeat("a/b,", 3000),
		}
		for _, escaping := range []string{"", ";escaping=allow-utf-8", ";escaping=underscores", ";escaping=dots", ";escaping=values"} {
			headers = append(headers, om1+escaping, om0+escaping+";q=0.5,*/*;q=0.1", text+escaping+",*/*;q=0.1", proto+escaping+";q=0.9,"+om1+";q=0.8")
		}
		// A small family of each type: expfmt's parser of OpenMetrics takes a second for 10 kB.
		names := url.Values{"name[]": {
			"aliyun_cas_poll_skipped_total", "times_seconds", "aliyun_cas_deployment_job_workers", "go_gc_duration_seconds",
			"go_memstats_alloc_bytes", "go_memstats_alloc_bytes_total",
		}}
		var want map[string]int
		types := map[expfmt.FormatType]int{}
		read := map[string]bool{} // most answers are the same to the byte
		for _, accept := range headers {
			w := f.ask("GET", "/metrics?"+names.Encode(), "Accept", accept)
			format := expfmt.ResponseFormat(w.Header())
			types[format.FormatType()]++
			if key := string(format.WithEscapingScheme(model.NoEscaping)) + w.Body.String(); read[key] {
				continue
			} else {
				read[key] = true
			}
			got := map[string]int{}
			for decoder := expfmt.NewDecoder(w.Body, format); ; {
				var family dto.MetricFamily
				if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%.60q: %s: %v", accept, format, err)
				}
				name := family.GetName() // a counter's may have lost its end
				got[strings.TrimSuffix(name, "_total")] += len(family.GetMetric())
			}
			if want == nil {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" || len(got) != 5 {
				t.Errorf("%.60q: %s (-want +got):\n%s", accept, format, diff)
			}
		}
		if len(headers) != 40 || types[expfmt.TypeOpenMetrics] < 10 || types[expfmt.TypeProtoDelim] < 5 || types[expfmt.TypeTextPlain] < 20 {
			t.Errorf("%d headers, answers by type: %v", len(headers), types)
		}
	})
}
