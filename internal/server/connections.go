package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxConnections are open at once.
	maxConnections = 512
	// least is the time that a connection waits for its client before it can be replaced.
	least = time.Second
	// patience is how long a client may take to read a piece of an answer.
	patience = 5 * time.Second
	// piece is how much a client must read in that time.
	piece = 64 << 10
)

// connections are the open connections of all listeners. If there are too many, a new one
// replaces the one that has waited longest for its client. So nobody can keep others out
// by holding connections, idle or half read.
type connections struct {
	patience time.Duration

	mu   sync.Mutex
	open map[*connection]struct{}
}

// connection is an open connection. Its fields are guarded by the mutex of all.
type connection struct {
	net.Conn
	all      *connections
	serving  bool      // a request of it is being answered
	waiting  time.Time // since when it waits for its client; zero: the client waits for us
	deadline time.Time // for the whole answer, as net/http sets it; zero: none
}

// listener accepts connections that can be replaced.
type listener struct {
	net.Listener
	all *connections
}

// Accept implements net.Listener. It waits while no connection can be replaced yet.
func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for {
		c, wait := l.all.admit(conn)
		if c != nil {
			return c, nil
		}
		time.Sleep(wait)
	}
}

// admit adds a connection, or returns when to try it again.
func (s *connections) admit(conn net.Conn) (c *connection, again time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxConnections {
		var last *connection
		for c := range s.open {
			if !c.waiting.IsZero() && (last == nil || c.waiting.Before(last.waiting)) {
				last = c
			}
		}
		if last == nil || time.Since(last.waiting) < least {
			return nil, least / 20
		}
		delete(s.open, last)
		_ = last.Conn.Close()
	}
	c = &connection{Conn: conn, all: s, waiting: time.Now()}
	s.open[c] = struct{}{}
	return c, 0
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.all.mu.Lock()
	delete(c.all.open, c)
	c.all.mu.Unlock()
	return c.Conn.Close()
}

// SetWriteDeadline implements net.Conn.
func (c *connection) SetWriteDeadline(t time.Time) error {
	c.all.mu.Lock()
	c.deadline = t
	c.all.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

// Write implements net.Conn. It fails when the client does not read a piece in time.
func (c *connection) Write(p []byte) (n int, err error) {
	for err == nil && n < len(p) {
		if err = c.Conn.SetWriteDeadline(c.begin()); err == nil {
			var m int
			m, err = c.Conn.Write(p[n:min(n+piece, len(p))])
			n += m
		}
	}
	c.all.mu.Lock()
	if c.serving {
		c.waiting = time.Time{}
	}
	c.all.mu.Unlock()
	return n, err
}

// begin remembers that a piece is on its way and returns when it must be there.
func (c *connection) begin() time.Time {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.waiting = time.Now()
	if by := c.waiting.Add(c.all.patience); c.deadline.IsZero() || by.Before(c.deadline) {
		return by
	}
	return c.deadline
}

// serve records whether a request is being answered, and reports whether the maximum
// number of connections is open.
func (c *connection) serve(serving bool) (full bool) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.serving = serving
	if c.waiting = time.Now(); serving {
		c.waiting = time.Time{}
	}
	return len(c.all.open) >= maxConnections
}

// connectionKey is where a request's context has its connection.
type connectionKey struct{}

// connContext is http.Server.ConnContext.
func connContext(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, conn)
}

// watched tells a request's connection that the client waits for us. While the maximum
// number is open, the connection ends with this answer: otherwise clients that ask often
// would never be replaced.
func watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			if c.serve(true) {
				w.Header().Set("Connection", "close")
			}
			defer c.serve(false)
		}
		next.ServeHTTP(w, r)
	})
}
