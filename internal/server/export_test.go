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
