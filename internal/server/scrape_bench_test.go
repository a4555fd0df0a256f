package server_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// discarding is an answer that nobody keeps.
type discarding struct{ header http.Header }

func (d discarding) Header() http.Header         { return d.header }
func (d discarding) Write(p []byte) (int, error) { return len(p), nil }
func (d discarding) WriteHeader(int)             {}

// BenchmarkServe compares a scrape as Prometheus asks for it, compressed and with all
// the metrics about the program itself, with expfmt and gzip over the same metrics,
// ready before the clock starts.
func BenchmarkServe(b *testing.B) {
	for _, series := range []int{1000, 10_000, 100_000} {
		// A place has a series for each status, and one for the oldest worker.
		f, poller, _ := newExporter(b, series/10)
		f.Freshness(0)
		if !poller.Poll(b.Context()) {
			b.Fatal("the poll failed")
		}
		for _, by := range []struct {
			name  string
			serve func()
		}{
			{"exporter", func() {
				r := httptest.NewRequest("GET", "/metrics", http.NoBody)
				r.Header.Set("Accept-Encoding", "gzip")
				f.Handler().ServeHTTP(discarding{http.Header{}}, r)
			}},
			{"expfmt", compressed(b, gathered(b, f))},
		} {
			b.Run(fmt.Sprintf("series=%d/by=%s", series, by.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					by.serve()
				}
			})
		}
	}
}

// gathered returns all that is served as metrics.
func gathered(b *testing.B, f *fixture) []*dto.MetricFamily {
	b.Helper()
	w := f.ask("GET", "/metrics")
	decoder := expfmt.NewDecoder(w.Body, expfmt.ResponseFormat(w.Header()))
	var families []*dto.MetricFamily
	for {
		family := &dto.MetricFamily{}
		if err := decoder.Decode(family); err != nil {
			return families
		}
		families = append(families, family)
	}
}

// compressed returns a function that encodes metrics and compresses the text as
// promhttp does.
func compressed(b *testing.B, families []*dto.MetricFamily) func() {
	b.Helper()
	zip := gzip.NewWriter(io.Discard)
	return func() {
		zip.Reset(io.Discard)
		for _, family := range families {
			if _, err := expfmt.MetricFamilyToText(zip, family); err != nil {
				b.Fatal(err)
			}
		}
		if err := zip.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
