package collector

import (
	"bytes"
	"math"
	"strconv"

	"github.com/prometheus/common/expfmt"
)

// line writes a sample as a line of text.
func (e *exposition) line(value float64, labels []string) {
	if !e.opened {
		e.opened = true
		e.bytes = append(e.bytes, e.intro...)
	}
	e.bytes = append(e.bytes, e.name...)
	for _, l := range e.labels {
		e.bytes = append(e.bytes, l.text...)
		e.escape(e.value(l.value, labels))
	}
	e.bytes = append(e.bytes, e.end...)
	e.number(value)
	e.bytes = append(e.bytes, '\n')
}

func (e *exposition) escape(value string) {
	from := 0
	for i := range len(value) {
		switch c := value[i]; c {
		case '\\', '"', '\n':
			e.bytes = append(append(e.bytes, value[from:i]...), '\\', c)
			if from = i + 1; c == '\n' {
				e.bytes[len(e.bytes)-1] = 'n'
			}
		}
	}
	e.bytes = append(e.bytes, value[from:]...)
}

func (e *exposition) number(value float64) {
	start := len(e.bytes)
	if 0 <= value && value < 1e6 && value == float64(int64(value)) {
		e.bytes = strconv.AppendInt(e.bytes, int64(value), 10)
	} else {
		e.bytes = strconv.AppendFloat(e.bytes, value, 'g', -1, 64)
	}
	if math.IsInf(value, 0) || math.IsNaN(value) {
		return
	}
	if e.format == expfmt.TypeOpenMetrics && !bytes.ContainsAny(e.bytes[start:], ".e") {
		e.bytes = append(e.bytes, ".0"...)
	}
}
