package server_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/internal/server"
)

// collect is a collector that is only a function.
type collect func(chan<- prometheus.Metric)

func (collect) Describe(chan<- *prometheus.Desc)           {}
func (c collect) Collect(metrics chan<- prometheus.Metric) { c(metrics) }

// TestBrokenPartsHideNothingElse breaks a collector in each way that a registry
// notices. The others are served, and the log says so once.
func TestBrokenPartsHideNothingElse(t *testing.T) {
	desc := prometheus.NewDesc("bad", "A gauge.", []string{"x"}, nil)
	for name, broken := range map[string]collect{
		"invalid":   func(ch chan<- prometheus.Metric) { ch <- prometheus.NewInvalidMetric(desc, errors.New("it cannot be")) },
		"duplicate": func(ch chan<- prometheus.Metric) { ch <- gauge(desc, "a"); ch <- gauge(desc, "a") },
		"panicking": func(chan<- prometheus.Metric) { panic("it cannot be") },
		"invalid UTF-8": func(ch chan<- prometheus.Metric) {
			ch <- gauge(desc, "\xff")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newServer(t, nil)
			f.Freshness(0)
			healed := false
			f.registry.MustRegister(collect(func(ch chan<- prometheus.Metric) {
				if !healed {
					broken(ch)
				}
			}))
			for format, accept := range accepted() {
				w := f.ask("GET", "/metrics", "Accept", accept)
				if names := families(t, format, w.Body.Bytes()); w.Code != 200 || !slices.Contains(names, "good") || !slices.Contains(names, "times_seconds") {
					t.Errorf("%s: got %d with %v, want 200 with the others", format, w.Code, names)
				}
			}
			if got := strings.Count(f.log.String(), "level=ERROR"); got != 1 {
				t.Errorf("%d errors were logged, want 1:\n%s", got, f.log)
			}
			healed = true
			if text := f.ask("GET", "/metrics").Body.String(); !strings.Contains(text, `errors_total{cause="gathering"} 3`) {
				t.Errorf("three errors are not counted:\n%s", text)
			}
			if !strings.Contains(f.log.String(), "all metrics are gathered again") {
				t.Errorf("the log does not say that it healed:\n%s", f.log)
			}
		})
	}
}

func gauge(desc *prometheus.Desc, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, 1, labels...)
}

func TestNothingToServe(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collect(func(chan<- prometheus.Metric) { panic("secret detail") }))
	panics := false
	f := newServer(t, func(o *server.Options) {
		o.Gatherer = registry
		o.Status = func() server.Status {
			if panics {
				panic("secret detail")
			}
			return server.Status{}
		}
	})
	f.Freshness(0)
	panics = true
	for _, path := range []string{"/metrics", "/"} {
		if w := f.ask("GET", path); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: got %d %q, want 500 without details", path, w.Code, w.Body)
		}
	}
	if got := strings.Count(f.log.String(), "answer cannot be rendered"); got != 2 {
		t.Errorf("%d failures were logged, want 2:\n%s", got, f.log)
	}
	panics = false
	if w := f.ask("GET", "/"); w.Code != 200 {
		t.Errorf("after a panic: got %d, want 200", w.Code)
	}
}
