package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/server"
)

// TestShutdownLetsScrapesEnd tells a server to end while a scrape is answered: one that
// ends within half a second arrives whole, a slower one is cut off, and the server
// waits for neither longer.
func TestShutdownLetsScrapesEnd(t *testing.T) {
	for takes, whole := range map[time.Duration]bool{400 * time.Millisecond: true, time.Hour: false} {
		synctest.Test(t, func(t *testing.T) {
			g := &gated{gate: make(chan struct{})}
			f := newServer(t, func(o *server.Options) { g.Gatherer, o.Gatherer = o.Gatherer, g })
			l := make(inMemory, 1)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan time.Time)
			go func() {
				if err := f.Serve(ctx, l); err != nil {
					t.Errorf("got %v, want no error", err)
				}
				ended <- time.Now()
			}()
			client, conn := net.Pipe()
			defer client.Close()
			l <- conn
			go func() { _, _ = io.WriteString(client, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") }()
			answered := make(chan bool)
			go func() {
				defer close(answered)
				resp, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil {
					return
				}
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				answered <- err == nil && strings.Contains(string(text), "good 42")
			}()
			synctest.Wait() // until the scrape hangs
			if g.inside.Load() != 1 {
				t.Fatal("nothing is being gathered")
			}
			told := time.Now()
			cancel()
			time.AfterFunc(takes, func() { close(g.gate) })
			if got := <-answered; got != whole {
				t.Errorf("a scrape that takes %v: answered whole is %v, want %v", takes, got, whole)
			}
			if took := (<-ended).Sub(told); took > 500*time.Millisecond {
				t.Errorf("a scrape that takes %v: the server ended after %v, want half a second at most", takes, took)
			}
			<-g.gate // for the goroutine that gathers
		})
	}
}
