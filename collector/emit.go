package collector

import (
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"aliyun_cas_exporter/collector/schedule"
)

// look takes the current view of each account and job; now is the time of the scrape.
func (e *exposition) look(accounts []shown, now time.Time) {
	e.hostsCounted = false
	e.scenes = slices.Grow(e.scenes[:0], len(accounts))[:len(accounts)]
	for n, a := range accounts {
		s := &e.scenes[n]
		s.Account, s.table, s.now = a.Account, a.table, now
		s.round, s.expected, s.listing, s.counts = a.Round(), a.Expected(), a.Listing(), a.Quota(now)
		s.views = a.Views(s.views[:0])
	}
}

// forget drops what look took, because a spare exposition must not keep old views alive.
func (e *exposition) forget() {
	for n := range e.scenes {
		clear(e.scenes[n].views)
		e.scenes[n].round, e.scenes[n].expected, e.scenes[n].counts = schedule.Round{}, nil, nil
	}
}

// family writes a family; its samples function must emit the same samples each time. A
// panic ends only this family.
func (e *exposition) family(name string, samples func()) (broken error) {
	defer func() {
		if p := recover(); p != nil {
			broken = fmt.Errorf("%s: panic: %v\n%s", name, p, debug.Stack())
		}
		if e.flush(); e.opened && e.size != 0 && e.err == nil {
			e.err = fmt.Errorf("%s: samples changed while they were written", name)
		}
	}()
	e.opened, e.sizing, e.size = false, false, 0
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

// instant adds a time, unless it is zero.
func (e *exposition) instant(at time.Time, labels ...string) {
	if !at.IsZero() {
		e.emit(float64(at.UnixMilli())/1000, labels...)
	}
}
