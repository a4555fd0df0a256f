package collector

import (
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"aliyun_cas_exporter/collector/schedule"
)

// flushAt is how much an exposition gathers before it writes.
const flushAt = 32 << 10

// exposition receives the samples of a Collector, family by family. It writes them as
// text or protobuf without making metrics first: held between scrapes, they take six
// times the memory of what they show; made at each scrape, most of its time.
type exposition struct {
	format  expfmt.FormatType // text, OpenMetrics or delimited protobuf
	to      io.Writer
	err     error // of to
	bytes   []byte
	metrics chan<- prometheus.Metric // if not nil, takes metrics instead

	*head
	begun  bool     // the family has a sample
	sizing bool     // samples are counted, not written: protobuf tells a family's size first
	size   int      // of the family's samples in protobuf that are still to be written
	fixed  []string // the values of the labels account, api_region and job_id
	scenes []scrape // what there is to show of each account: the same moment for all families
}

// look takes one view of each account and job, as old as it is now.
func (e *exposition) look(accounts []shown, now time.Time) {
	e.scenes = slices.Grow(e.scenes[:0], len(accounts))[:len(accounts)]
	for n, a := range accounts {
		s := &e.scenes[n]
		s.Account, s.table, s.now = a.Account, a.table, now
		s.round, s.expected, s.listing, s.counts = a.Round(), a.Expected(), a.Listing(), a.Quota(now)
		s.views = a.Views(s.views[:0])
	}
}

// forget drops what look took: a spare exposition must not hold what was replaced.
func (e *exposition) forget() {
	for n := range e.scenes {
		clear(e.scenes[n].views)
		e.scenes[n].round, e.scenes[n].expected, e.scenes[n].counts = schedule.Round{}, nil, nil
	}
}

// family writes a family, whose samples function must emit the same each time. A panic
// ends this family alone: what was emitted before it is whole.
func (e *exposition) family(name string, samples func()) (broken error) {
	defer func() {
		if p := recover(); p != nil {
			broken = fmt.Errorf("%s: panic: %v\n%s", name, p, debug.Stack())
		}
		if e.flush(); e.begun && e.size != 0 && e.err == nil {
			e.err = fmt.Errorf("%s: samples changed while they were written", name)
		}
	}()
	e.begun, e.sizing, e.size = false, false, 0
	if e.format == expfmt.TypeProtoDelim && e.metrics == nil {
		e.sizing = true
		samples()
		e.sizing = false
	}
	samples()
	return nil
}

// emit adds a sample: its value, and the values of the labels that the family
// names.
func (e *exposition) emit(value float64, labels ...string) {
	switch {
	case e.metrics != nil:
		e.metrics <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, value, slices.Concat(e.fixed, labels)...)
	case e.format == expfmt.TypeProtoDelim:
		e.protobuf(value, labels)
	default:
		e.line(value, labels)
	}
	if len(e.bytes) >= flushAt {
		e.flush()
	}
}

// value returns the value of a label, of which those that the family does not name
// come first.
func (e *exposition) value(i int, labels []string) string {
	if i < len(e.fixed) {
		return e.fixed[i]
	}
	return labels[i-len(e.fixed)]
}

// instant adds a time, or nothing where there is none.
func (e *exposition) instant(at time.Time, labels ...string) {
	if !at.IsZero() {
		e.emit(float64(at.UnixMilli())/1000, labels...)
	}
}

func (e *exposition) flush() {
	if e.err == nil && e.to != nil && len(e.bytes) > 0 {
		_, e.err = e.to.Write(e.bytes)
	}
	e.bytes = e.bytes[:0]
}
