package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// scrapes serves what a gatherer gathers, in every format that Prometheus asks for.
type scrapes struct {
	gatherer prometheus.Gatherer
	facts    Facts               // written as text where text is asked for; nil: none
	all      prometheus.Gatherer // both, for what is not text
	answers  *answers
	kinds    []*kind // by format
	log      *slog.Logger

	mu     sync.Mutex
	broken bool // something could not be gathered the last time
}

func newScrapes(o Options, answers *answers) (*scrapes, error) {
	s := &scrapes{gatherer: o.Gatherer, facts: o.Facts, all: o.Gatherer, answers: answers, log: o.Logger}
	for _, format := range formats() {
		s.kinds = append(s.kinds, newKind(string(format)))
	}
	if o.Facts != nil {
		registry := prometheus.NewPedanticRegistry()
		if err := registry.Register(o.Facts); err != nil {
			return nil, fmt.Errorf("register the facts: %w", err)
		}
		s.all = prometheus.Gatherers{o.Gatherer, registry}
	}
	return s, nil
}

// formats returns what is offered. Lines for created timestamps are left out: of
// OpenMetrics' text most servers take them for series, and protobuf has them anyway.
func formats() []expfmt.Format {
	return []expfmt.Format{expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtProtoDelim, expfmt.FmtText}
}

// ServeHTTP implements http.Handler.
func (s *scrapes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	format := expfmt.NegotiateAccept(r.Header, formats()...)
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Vary", "Accept")
	for _, k := range s.kinds {
		if strings.HasPrefix(string(format), k.name) { // what follows is the escaping of names, of which ours need none
			s.answers.serve(w, r, k, "", func(out io.Writer) error { return s.write(out, expfmt.Format(k.name)) })
		}
	}
}

// write gathers and encodes. What can be gathered is served although something else
// cannot: one broken part must not hide the others.
func (s *scrapes) write(out io.Writer, format expfmt.Format) error {
	kind := format.FormatType()
	openMetrics := kind == expfmt.TypeOpenMetrics
	text := s.facts != nil && (openMetrics || kind == expfmt.TypeTextPlain)
	gatherer := s.all
	if text {
		gatherer = s.gatherer
	}
	families, err := gatherer.Gather()
	s.note(err)
	if len(families) == 0 && err != nil {
		return fmt.Errorf("gather: %w", err)
	}
	encoder := expfmt.NewEncoder(out, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return fmt.Errorf("encode %s: %w", family.GetName(), err)
		}
	}
	if text {
		if err := s.facts.WriteText(out, openMetrics); err != nil {
			return fmt.Errorf("write the facts: %w", err)
		}
	}
	if last, ok := encoder.(expfmt.Closer); ok {
		return last.Close()
	}
	return nil
}

// note logs when gathering begins to fail and when it succeeds again, not at every
// scrape: anyone may scrape.
func (s *scrapes) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && !s.broken:
		s.log.Error("some metrics cannot be gathered, the others are served", "err", fmt.Sprintf("%.2000s", err.Error()))
	case err == nil && s.broken:
		s.log.Info("all metrics are gathered again")
	}
	s.broken = err != nil
}
