package server

import (
	"context"
	"net"
)

// MaxClients, MaxConnections and MaxStreams are the bounds that tests reach for.
const (
	MaxClients     = maxClients
	MaxConnections = maxConnections
	MaxStreams     = maxStreams
)

// Serve serves on a listener, so that a test knows its port.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { return s.serve(ctx, l) }

// Hurry divides the timeouts by 15, which are longer than a test should wait.
func (s *Server) Hurry() {
	s.http.ReadHeaderTimeout /= 15
	s.http.WriteTimeout /= 15
}
