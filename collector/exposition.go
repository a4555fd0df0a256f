package collector

import (
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// flushAt is how much an exposition gathers before it writes.
const flushAt = 32 << 10

// exposition receives the samples of a Collector, family by family, and writes them as text
// or protobuf. It does not make metrics first: kept between scrapes, they take six times
// the memory of the views; made at each scrape, they take most of its time.
type exposition struct {
	format  expfmt.FormatType // text, OpenMetrics or delimited protobuf
	to      io.Writer
	err     error // of to
	bytes   []byte
	metrics chan<- prometheus.Metric // if not nil, takes metrics instead

	*head
	opened       bool     // the family has a sample
	sizing       bool     // samples are counted, not written: protobuf tells a family's size first
	size         int      // of the family's samples in protobuf that are still to be written
	fixed        []string // the values of the labels account, api_region and job_id
	hostsCounted bool     // of the scenes
	scenes       []scrape // what there is to show of each account: the same moment for all families
}

// value returns the value of a label, of which those that the family does not name
// come first.
func (e *exposition) value(i int, labels []string) string {
	if i < len(e.fixed) {
		return e.fixed[i]
	}
	return labels[i-len(e.fixed)]
}

func (e *exposition) flush() {
	if e.err == nil && e.to != nil && len(e.bytes) > 0 {
		_, e.err = e.to.Write(e.bytes)
	}
	e.bytes = e.bytes[:0]
}
