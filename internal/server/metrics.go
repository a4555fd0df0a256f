package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// scrapes serves what a gatherer gathers and facts, in every format that Prometheus asks
// for.
type scrapes struct {
	gatherer prometheus.Gatherer
	facts    Facts
	answers  *answers
	formats  []kinds
	errors   *prometheus.CounterVec
	log      *slog.Logger

	mu     sync.Mutex
	broken bool // something could not be gathered the last time
}

// kinds are the answers in one format: with everything, and with the families that a
// client named.
type kinds struct {
	format          expfmt.Format
	whole, filtered *kind
}

// newScrapes returns a handler with promhttp's metrics about itself.
func newScrapes(o Options, answers *answers) http.Handler {
	s := &scrapes{gatherer: o.Gatherer, facts: o.Facts, answers: answers, log: o.Logger}
	// Created timestamps are left out of OpenMetrics' text, because most servers read them
	// as series. Protobuf has them.
	for _, f := range []expfmt.Format{expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtProtoDelim, expfmt.FmtText} {
		s.formats = append(s.formats, kinds{f, newKind(string(f)), newKind(string(f) + ", filtered")})
	}
	s.errors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "promhttp_metric_handler_errors_total", Help: "Total number of internal errors encountered by the promhttp metric handler.",
	}, []string{"cause"})
	s.errors.WithLabelValues("gathering")
	s.errors.WithLabelValues("encoding")
	o.Registerer.MustRegister(s.errors)
	return promhttp.InstrumentMetricHandler(o.Registerer, s)
}

// ServeHTTP implements http.Handler.
func (s *scrapes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var offered []expfmt.Format
	for _, f := range s.formats {
		offered = append(offered, f.format)
	}
	accepted := expfmt.NegotiateAccept(r.Header, offered...)
	w.Header().Set("Content-Type", string(accepted))
	w.Header().Set("Vary", "Accept")
	// The escaping of names follows the format; ours need none.
	f := s.formats[slices.IndexFunc(s.formats, func(f kinds) bool { return strings.HasPrefix(string(accepted), string(f.format)) })]
	names := r.URL.Query()["name[]"]
	k := f.filtered
	if len(names) == 0 {
		k = f.whole
	}
	slices.Sort(names)
	s.answers.serve(w, r, k, fmt.Sprintf("%q", names), func(out io.Writer) error {
		gathering, encoding, err := write(out, f.format, s.gatherer, s.facts, func(name string) bool {
			return len(names) == 0 || slices.Contains(names, name)
		})
		if gathering != nil {
			s.errors.WithLabelValues("gathering").Inc()
		}
		if encoding != nil || err != nil {
			s.errors.WithLabelValues("encoding").Inc()
		}
		s.report(errors.Join(gathering, encoding))
		return err
	})
}

// report logs when metrics begin to be missing and when all are there again. It does not
// log at every scrape, because anyone may scrape.
func (s *scrapes) report(missing error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case missing != nil && !s.broken:
		s.log.Error("some metrics cannot be gathered, the others are served", "err", fmt.Sprintf("%.2000s", missing.Error()))
	case missing == nil && s.broken:
		s.log.Info("all metrics are gathered again")
	}
	s.broken = missing != nil
}

// WriteText writes what a gatherer gathers, and facts, as the classic text.
func WriteText(out io.Writer, gatherer prometheus.Gatherer, facts Facts) error {
	gathering, encoding, err := write(out, expfmt.FmtText, gatherer, facts, func(string) bool { return true })
	return errors.Join(gathering, encoding, err)
}

// write writes the wanted families by name, each once. An error of single families, broken,
// hides no other; after err the output is useless.
func write(out io.Writer, format expfmt.Format, gatherer prometheus.Gatherer, facts Facts, wanted func(string) bool) (gathering, encoding, err error) {
	counted := &counter{Writer: out}
	families, broken := gatherer.Gather()
	e := newEncoder(counted, format, families, wanted)
	unwell, err := facts.Write(counted, format.FormatType(), e.before)
	if err != nil {
		return broken, e.err, fmt.Errorf("write the facts: %w", err)
	}
	e.before(last)
	if gathering = errors.Join(broken, unwell); gathering != nil && counted.n == 0 {
		err = fmt.Errorf("nothing could be gathered: %w", gathering)
	}
	return gathering, errors.Join(e.err, e.Close()), err
}

// counter counts what is written.
type counter struct {
	io.Writer
	n int
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += n
	return n, err
}
