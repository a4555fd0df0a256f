package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"aliyun_cas_exporter/internal/server"
)

// inMemory is a listener of the connections that are sent to it, for a bubble of synctest.
// What a client has not read, its server has not written.
type inMemory chan net.Conn

// serveInMemory serves until the test ends.
func (f *fixture) serveInMemory(t *testing.T) inMemory {
	t.Helper()
	l := make(inMemory, 2*server.MaxConnections)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended: %v", err)
		}
	})
	return l
}

// Accept implements net.Listener.
func (l inMemory) Accept() (net.Conn, error) {
	conn, open := <-l
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements net.Listener.
func (l inMemory) Close() error {
	close(l)
	return nil
}

// Addr implements net.Listener.
func (inMemory) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects; the connection ends with the test.
func (l inMemory) dial(t *testing.T) net.Conn {
	t.Helper()
	client, conn := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	l <- conn
	return client
}

// get asks on a connection of its own.
func (l inMemory) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	conn := l.dial(t)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
