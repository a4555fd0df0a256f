package server

import (
	"context"
	"net"
	"time"
)

// MaxConnections and MaxChecks are the bounds that tests reach for.
const (
	MaxConnections = maxConnections
	MaxChecks      = maxChecks
)

// Serve serves on listeners, so that a test knows their ports.
func (s *Server) Serve(ctx context.Context, l ...net.Listener) error { return s.serve(ctx, l...) }

// Freshness sets how long an answer serves all who ask for it.
func (s *Server) Freshness(d time.Duration) { s.answers.freshFor = d }

// Held returns how many bytes of old answers are held for their readers.
func (s *Server) Held() int {
	s.answers.mu.Lock()
	defer s.answers.mu.Unlock()
	return s.answers.held
}

// Busy returns how many clients wait for an answer.
func (s *Server) Busy() (n int) {
	s.connections.mu.Lock()
	defer s.connections.mu.Unlock()
	for c := range s.connections.open {
		if c.serving && c.waiting.IsZero() {
			n++
		}
	}
	return n
}

// Wait lengthens the timeouts, for tests that are about something else: a busy machine may
// take minutes for what takes a second.
func (s *Server) Wait() {
	s.http.WriteTimeout = 10 * time.Minute
	s.connections.patience = 10 * time.Minute
}

// Hurry shortens the timeouts, which are longer than a test should wait, to what a busy
// machine still keeps to.
func (s *Server) Hurry() {
	s.http.ReadHeaderTimeout = time.Second
	s.http.WriteTimeout = 3 * time.Second
	s.connections.patience = time.Second
}
