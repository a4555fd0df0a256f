package collector

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// gaugeSize is the size of a gauge within its metric: two tags, a length and a float.
const gaugeSize = 1 + 1 + 1 + 8

// protobuf writes a sample as a metric of its family, or adds its size to the family's.
func (e *exposition) protobuf(value float64, labels []string) {
	size := gaugeSize
	for i := range e.labels {
		size += 1 + protowire.SizeBytes(e.labels[i].pair(e.value(e.labels[i].value, labels)))
	}
	if e.sizing {
		e.size += 1 + protowire.SizeBytes(size)
		return
	}
	b := e.bytes
	if !e.opened {
		e.opened = true
		b = append(protowire.AppendVarint(b, uint64(len(e.proto)+e.size)), e.proto...) //nolint:gosec // sizes are not negative
	}
	e.size -= 1 + protowire.SizeBytes(size)
	b = protowire.AppendTag(b, familyMetric, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	for i := range e.labels {
		l := &e.labels[i]
		text := e.value(l.value, labels)
		b = protowire.AppendTag(b, metricLabel, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(l.pair(text))) //nolint:gosec // as above
		b = protowire.AppendString(append(b, l.proto...), text)
	}
	b = protowire.AppendTag(b, metricGauge, protowire.BytesType)
	b = protowire.AppendVarint(b, gaugeSize-2)
	b = protowire.AppendTag(b, gaugeValue, protowire.Fixed64Type)
	e.bytes = protowire.AppendFixed64(b, math.Float64bits(value))
}

// pair returns the size of a label with a value.
func (l *label) pair(value string) int { return len(l.proto) + protowire.SizeBytes(len(value)) }
