package server

import (
	"errors"
	"fmt"
	"io"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// last is behind the names of all families.
const last = "\xff"

// encoder encodes gathered families, by name and in between others.
type encoder struct {
	expfmt.Encoder
	wanted      func(string) bool
	openMetrics bool
	families    []*dto.MetricFamily // that are still to be written
	names       map[string]bool     // of all
	err         error
}

func newEncoder(out io.Writer, format expfmt.Format, families []*dto.MetricFamily, wanted func(string) bool) *encoder {
	e := &encoder{
		Encoder: expfmt.NewEncoder(out, format), wanted: wanted, families: families,
		openMetrics: format.FormatType() == expfmt.TypeOpenMetrics, names: make(map[string]bool, len(families)),
	}
	for _, f := range families {
		e.names[f.GetName()] = true
	}
	return e
}

// before writes the families whose names come before one, and reports whether the one
// is wanted too.
func (e *encoder) before(name string) bool {
	for ; len(e.families) > 0 && e.families[0].GetName() < name; e.families = e.families[1:] {
		if f := e.families[0]; e.wanted(f.GetName()) {
			e.adapt(f)
			if err := e.Encode(f); err != nil {
				e.err = errors.Join(e.err, fmt.Errorf("encode %s: %w", f.GetName(), err))
			}
		}
	}
	return e.wanted(name)
}

// adapt changes what parsers of OpenMetrics cannot read. It removes units, because
// Prometheus applies a unit to all families after it. A counter's family has its name
// without _total. If a gauge has that name, as with go_memstats_alloc_bytes, strict parsers
// drop everything that follows, so the counter becomes unknown, with its whole name.
func (e *encoder) adapt(f *dto.MetricFamily) {
	if !e.openMetrics {
		return
	}
	f.Unit = nil
	if f.GetType() == dto.MetricType_COUNTER && e.names[strings.TrimSuffix(f.GetName(), "_total")] {
		f.Type = dto.MetricType_UNTYPED.Enum()
		for _, m := range f.GetMetric() {
			m.Untyped, m.Counter = &dto.Untyped{Value: m.GetCounter().Value}, nil //nolint:protogetter // the pointer is taken over
		}
	}
}

// Close writes what ends an exposition.
func (e *encoder) Close() error {
	if end, ok := e.Encoder.(expfmt.Closer); ok {
		return end.Close()
	}
	return nil
}
