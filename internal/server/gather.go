package server

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// sharedGatherer lets scrapes that come while one gathers have its result: two
// hundred at once cost as much as one. The families are read-only.
type sharedGatherer struct {
	from prometheus.Gatherer

	mu      sync.Mutex
	running *gathering
}

type gathering struct {
	done     chan struct{}
	families []*dto.MetricFamily
	err      error
}

// Gather implements prometheus.Gatherer.
func (s *sharedGatherer) Gather() ([]*dto.MetricFamily, error) {
	s.mu.Lock()
	g := s.running
	if g == nil {
		g = &gathering{done: make(chan struct{})}
		s.running = g
		s.mu.Unlock()
		s.run(g)
	} else {
		s.mu.Unlock()
		<-g.done
	}
	return g.families, g.err
}

// run gathers for all who wait; they go on whatever happens.
func (s *sharedGatherer) run(g *gathering) {
	defer func() {
		s.mu.Lock()
		s.running = nil
		s.mu.Unlock()
		close(g.done)
	}()
	g.families, g.err = s.from.Gather()
}
