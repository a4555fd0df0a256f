package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// discarding is an answer that nobody keeps.
type discarding struct{ header http.Header }

func (d discarding) Header() http.Header         { return d.header }
func (d discarding) Write(p []byte) (int, error) { return len(p), nil }
func (d discarding) WriteHeader(int)             {}

// accepted is what a client accepts of each format.
func accepted() map[string]string {
	return map[string]string{
		"text":        "text/plain;version=0.0.4",
		"openmetrics": "application/openmetrics-text;version=1.0.0",
		"protobuf":    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
	}
}

// ready is a gatherer whose metrics are ready before the clock starts.
type ready []*dto.MetricFamily

func (r ready) Gather() ([]*dto.MetricFamily, error) { return r, nil }

// BenchmarkServe compares a scrape as Prometheus asks for it, compressed and with all
// the metrics about the program itself, with promhttp over the same metrics: constant
// ones that a registry gathers, and ready ones.
func BenchmarkServe(b *testing.B) {
	for _, series := range []int{500, 5000, 100_000} {
		// A place has a series for each status, and one for the oldest worker.
		f, poller, _ := newExporter(b, series/10)
		f.Freshness(0)
		if !poller.Poll(b.Context()) {
			b.Fatal("the poll failed")
		}
		registry := prometheus.NewRegistry()
		registry.MustRegister(f.facts)
		whole := prometheus.Gatherers{f.registry, registry}
		families, err := whole.Gather()
		if err != nil {
			b.Fatal(err)
		}
		o := promhttp.HandlerOpts{EnableOpenMetrics: true}
		for _, format := range []string{"text", "openmetrics", "protobuf"} {
			for _, by := range []struct {
				name    string
				handler http.Handler
			}{
				{"exporter", f.Handler()},
				{"promhttp", promhttp.HandlerFor(whole, o)},
				{"ready", promhttp.HandlerFor(ready(families), o)},
			} {
				b.Run(fmt.Sprintf("series=%d/format=%s/by=%s", series, format, by.name), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						r := httptest.NewRequest("GET", "/metrics", http.NoBody)
						r.Header.Set("Accept", accepted()[format])
						r.Header.Set("Accept-Encoding", "gzip")
						by.handler.ServeHTTP(discarding{http.Header{}}, r)
					}
				})
			}
		}
	}
}
