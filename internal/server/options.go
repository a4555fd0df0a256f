package server

import (
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"aliyun_cas_exporter/collector"
)

// Options configure a Server. Every field is required but those marked.
type Options struct {
	ListenAddresses []string
	SystemdSocket   bool   // serve on the sockets that systemd passes, not on the addresses
	TelemetryPath   string // of the metrics, begins with /
	WebConfigFile   string // optional
	EnablePprof     bool
	Registerer      prometheus.Registerer // for metrics about serving; what it has is in Gatherer
	Gatherer        prometheus.Gatherer
	Facts           Facts                 // not in Gatherer
	ProbeTargets    func(io.Writer) error // writes a JSON document
	Ready           func() bool
	Status          func() Status                                                    // its slices are the caller's
	Detail          func(account, region string, job int64) (collector.Detail, bool) // of a job of Status
	Console         func(region string) string                                       // optional: the console's address, for State.Region
	Runbooks        string                                                           // Markdown
	Logger          *slog.Logger
	Now             func() time.Time // optional: time.Now
}

// Facts are metrics that are written without making prometheus.Metrics first, which would
// be most of the cost of a scrape with many series.
type Facts interface {
	// Write writes the families of one moment, by name, as text, as OpenMetrics without
	// the line that ends it, or as delimited protobuf. Before each it calls before with
	// the name, and writes the family if that returns true. Broken is what is wrong with
	// single families, and hides no other; after err the output is useless.
	Write(w io.Writer, format expfmt.FormatType, before func(name string) bool) (broken, err error)
}
