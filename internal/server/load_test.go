package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"aliyun_cas_exporter/internal/server"
)

// gated is a gatherer that waits for its gate, and counts.
type gated struct {
	prometheus.Gatherer
	gate                  chan struct{}
	gathers, inside, peak atomic.Int32
}

func (g *gated) Gather() ([]*dto.MetricFamily, error) {
	g.gathers.Add(1)
	g.peak.Store(max(g.peak.Load(), g.inside.Add(1)))
	defer g.inside.Add(-1)
	<-g.gate
	return g.Gatherer.Gather()
}

// TestConcurrentScrapesShareOneGather starts 200 scrapes while one gathers: per
// format there is one gather, and never two at a time. Who comes later gets another.
func TestConcurrentScrapesShareOneGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gated{gate: make(chan struct{})}
		f := newServer(t, func(o *server.Options) { g.Gatherer, o.Gatherer = o.Gatherer, g })
		accepts := []string{"text/plain", "application/openmetrics-text;version=1.0.0"}
		answers := make([]*httptest.ResponseRecorder, 200)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = f.ask("GET", "/metrics", "Accept", accepts[i%len(accepts)]) })
		}
		synctest.Wait()
		close(g.gate)
		all.Wait()
		for i, w := range answers {
			if w.Code != 200 || !strings.Contains(w.Body.String(), "\ngood 42") {
				t.Fatalf("answer %d: %d %s", i, w.Code, w.Body)
			}
		}
		if got, peak := g.gathers.Load(), g.peak.Load(); got != 2 || peak != 1 {
			t.Errorf("200 scrapes in two formats: %d gathers, %d at once; want 2, one at a time", got, peak)
		}
		f.ask("GET", "/metrics")
		if got := g.gathers.Load(); got != 3 {
			t.Errorf("after a later scrape: %d gathers, want 3", got)
		}
	})
}

// TestTooManyClients holds as many scrapes as are answered at once; the next one is
// told to go, health is not affected, and a client that leaves makes room.
func TestTooManyClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gated{gate: make(chan struct{})}
		f := newServer(t, func(o *server.Options) { g.Gatherer, o.Gatherer = o.Gatherer, g })
		ctx, leave := context.WithCancel(t.Context())
		var left atomic.Int32
		var all sync.WaitGroup
		for i := range server.MaxClients {
			r := httptest.NewRequest("GET", "/metrics", http.NoBody)
			if i > 0 { // the first one gathers for all
				r = r.WithContext(ctx)
			}
			all.Go(func() {
				f.Handler().ServeHTTP(httptest.NewRecorder(), r)
				left.Add(1)
			})
			synctest.Wait()
		}
		for path, want := range map[string]int{"/metrics": 503, "/": 503, "/-/healthy": 200} {
			if got := f.ask("GET", path).Code; got != want {
				t.Errorf("%s among %d clients: got %d, want %d", path, server.MaxClients, got, want)
			}
		}
		leave()
		synctest.Wait()
		if got := left.Load(); got != server.MaxClients-1 {
			t.Errorf("%d clients have made room, want all but one", got)
		}
		close(g.gate)
		all.Wait()
		if got := f.ask("GET", "/metrics").Code; got != 200 {
			t.Errorf("at the end: got %d, want 200", got)
		}
	})
}

// many collects so many series.
func many(n int) collect {
	desc := prometheus.NewDesc("many", "A gauge.", []string{"number", "padding"}, nil)
	var metrics []prometheus.Metric
	for i := range n {
		metrics = append(metrics, gauge(desc, fmt.Sprint(i), "a label value of some length, as resource names are"))
	}
	return func(ch chan<- prometheus.Metric) {
		for _, m := range metrics {
			ch <- m
		}
	}
}

// TestSlowReadersHoldLittle lets clients ask for 800 kB, one after another, and not
// read them: no two share a gather, and yet none holds the metrics of its own.
func TestSlowReadersHoldLittle(t *testing.T) {
	const slow, most = 25, 24 << 20
	f := newServer(t, nil)
	f.registry.MustRegister(many(10_000))
	address := f.run(t)
	before := heap()
	for range slow {
		unread(t, address)
	}
	held := int64(heap()) - int64(before)
	t.Logf("%d slow readers hold %d KiB", slow, held>>10)
	if held > most {
		t.Errorf("more than %d KiB", most>>10)
	}
	if status, body := get(t, address, "/metrics"); status != 200 || len(body) < 700_000 {
		t.Errorf("beside them: %d, %d bytes", status, len(body))
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools kept
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// unread asks for the metrics and reads no more of them than that they begin.
func unread(t *testing.T, address string) net.Conn {
	t.Helper()
	conn := dial(t, address)
	fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatalf("no answer begins: %v", err)
	}
	return conn
}

// narrow is a listener whose connections hold little in the kernel, so that a client
// that does not read is felt.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(32 << 10)
	}
	return conn, err
}

// dial connects; the connection ends with the test, or after a minute.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(32 << 10)
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func get(t *testing.T, address, path string) (status int, body string) {
	t.Helper()
	status, body, err := fetch("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func fetch(url string) (status int, body string, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// bulk is 800 kB of facts that cost next to nothing to write, so that a busy machine has
// an answer in time.
type bulk struct{ collect }

func (bulk) WriteText(w io.Writer, _ bool) error {
	_, err := io.WriteString(w, strings.Repeat("bulk{padding=\"a label value of some length, as resource names are\"} 1\n", 11_000))
	return err
}

func TestSlowClientsAreCutOff(t *testing.T) {
	f := newServer(t, func(o *server.Options) { o.Facts = bulk{func(chan<- prometheus.Metric) {}} })
	f.Hurry()
	address := f.run(t)
	t.Run("reading", func(t *testing.T) {
		conn := unread(t, address)
		time.Sleep(5 * time.Second) // longer than an answer may take
		n, _ := io.Copy(io.Discard, conn)
		if n == 0 || n > 700_000 {
			t.Errorf("got %d bytes, want a part", n)
		}
	})
	for name, text := range map[string]string{
		"connecting": "", "sending headers": "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ",
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, address)
			fmt.Fprint(conn, text)
			if answer, err := io.ReadAll(conn); err != nil || strings.HasPrefix(string(answer), "HTTP/1.1 200") {
				t.Errorf("got %q, %v; want the end of the connection", answer, err)
			}
		})
	}
}

func TestMuchIsRefused(t *testing.T) {
	address := newServer(t, nil).run(t)
	for name, request := range map[string]string{
		"1 MB in one header":   "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20),
		"1 MB in many headers": "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: xxxxxxxxx\r\n", 70_000),
		"1 MB of address":      "GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: x\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, address)
			go func() { fmt.Fprint(conn, request, "\r\n\r\n") }()
			answer, _ := bufio.NewReader(conn).ReadString('\n')
			if !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
				t.Errorf("got %q, want status 431", answer)
			}
		})
	}
}

// TestConnectionsAreBounded opens as many as are served, and one more, which is
// answered when one of them ends.
func TestConnectionsAreBounded(t *testing.T) {
	address := newServer(t, nil).run(t)
	var conns []net.Conn
	for range server.MaxConnections {
		conn := dial(t, address)
		if got := health(conn); got != "HTTP/1.1 200 OK" {
			t.Fatalf("connection %d: %q", len(conns)+1, got)
		}
		conns = append(conns, conn)
	}
	answered := make(chan string, 1)
	more := dial(t, address)
	go func() { answered <- health(more) }()
	select {
	case got := <-answered:
		t.Fatalf("connection %d: %q, want no answer", len(conns)+1, got)
	case <-time.After(300 * time.Millisecond):
	}
	_ = conns[0].Close()
	if got := <-answered; got != "HTTP/1.1 200 OK" {
		t.Errorf("after another ended: %q", got)
	}
}

// health asks for the health on a connection and returns the first line.
func health(conn net.Conn) string {
	fmt.Fprint(conn, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer)
}

// TestShutdownDoesNotWaitForScrapes ends the server while a scrape hangs.
func TestShutdownDoesNotWaitForScrapes(t *testing.T) {
	g := &gated{gate: make(chan struct{})}
	defer close(g.gate)
	f := newServer(t, func(o *server.Options) { g.Gatherer, o.Gatherer = o.Gatherer, g })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx, l) }()
	conn := dial(t, l.Addr().String())
	fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	for g.gathers.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	told := time.Now()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if took := time.Since(told); took > 10*time.Second { // the scrape hangs for ever, and may take 30 s
		t.Errorf("it took %v, want half a second", took)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the scrape's connection did not end: %v", err)
	}
}
