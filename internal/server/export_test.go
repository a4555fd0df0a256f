package server

import (
	"context"
	"net"
	"time"
)

// MaxClients, MaxConnections and MaxStreams are the bounds that tests reach for.
const (
	MaxClients     = maxClients
	MaxConnections = maxConnections
	MaxStreams     = maxStreams
)

// Serve serves on a listener, so that a test knows its port.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { return s.serve(ctx, l) }

// Hurry shortens the timeouts, which are longer than a test should wait, to what a busy
// machine still keeps to.
func (s *Server) Hurry() {
	s.http.ReadHeaderTimeout = time.Second
	s.http.WriteTimeout = 3 * time.Second
}
