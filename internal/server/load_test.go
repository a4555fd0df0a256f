package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
	"github.com/prometheus/common/expfmt"

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

// TestConcurrentScrapesShareOneGather starts 200 scrapes while one gathers: per format
// there is one gather, and the two go on side by side. Who comes within a second gets the
// same, who comes later another.
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
		if inside := g.inside.Load(); inside != 2 {
			t.Errorf("%d gathers at once, want one for each format", inside)
		}
		close(g.gate)
		all.Wait()
		for i, w := range answers {
			if w.Code != 200 || !strings.Contains(w.Body.String(), "\ngood 42") {
				t.Fatalf("answer %d: %d %s", i, w.Code, w.Body)
			}
		}
		for _, want := range []int32{2, 3} {
			if f.ask("GET", "/metrics"); g.gathers.Load() != want {
				t.Errorf("%v later: %d gathers, want %d", time.Second*time.Duration(want-2), g.gathers.Load(), want)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestClientsThatLeave are no longer waited for.
func TestClientsThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gated{gate: make(chan struct{})}
		f := newServer(t, func(o *server.Options) { g.Gatherer, o.Gatherer = o.Gatherer, g })
		ctx, leave := context.WithCancel(t.Context())
		var left atomic.Int32
		var all sync.WaitGroup
		for i := range 100 {
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
		leave()
		synctest.Wait()
		if got := left.Load(); got != 99 {
			t.Errorf("%d clients are no longer waited for, want all but one", got)
		}
		close(g.gate)
		all.Wait()
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

// TestSlowReadersHoldLittle has as many clients as may connect ask for 800 kB and not
// read it, and then again as many.
func TestSlowReadersHoldLittle(t *testing.T) {
	const most = 48 << 20
	f := newServer(t, nil)
	f.Freshness(50 * time.Millisecond)
	f.registry.MustRegister(many(10_000))
	address := f.run(t)
	before := heap()
	for range 2 * server.MaxConnections {
		unread(t, address)
	}
	held := int64(heap()) - int64(before)
	t.Logf("%d slow readers hold %d KiB", server.MaxConnections, held>>10)
	if held > most {
		t.Errorf("more than %d KiB", most>>10)
	}
	if status, body := get(t, address, "/metrics"); status != 200 || len(body) < 700_000 {
		t.Errorf("beside them: %d, %d bytes", status, len(body))
	}
}

// TestHeldAnswersAreBounded lets slow readers hold answers of 10 MB that cannot be
// compressed. Those who come then get the last one, until others have read theirs.
func TestHeldAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noise := make([]byte, 10<<20)
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		n := 0
		f := newServer(t, func(o *server.Options) {
			o.Facts = written(func(w io.Writer) error {
				n++
				_, err := fmt.Fprintf(w, "# answer %d\n%s", n, noise)
				return err
			})
		})
		next := func() string {
			time.Sleep(time.Second)
			_, after, _ := strings.Cut(f.ask("GET", "/metrics").Body.String(), "# answer ")
			return after[:1]
		}
		slow := func(release chan struct{}) {
			r := httptest.NewRequest("GET", "/metrics", http.NoBody)
			go f.Handler().ServeHTTP(&unwilling{httptest.NewRecorder(), release}, r)
			synctest.Wait()
		}
		var readers [3]chan struct{}
		for i := range readers {
			readers[i] = make(chan struct{})
			time.Sleep(time.Second)
			slow(readers[i])
		}
		if n != 2 || f.Held() < 10<<20 || f.Held() >= 20<<20 {
			t.Errorf("after 3 slow readers: %d answers, %d bytes held; want 2, and one of 10 MiB held", n, f.Held())
		}
		if got := next(); got != "2" {
			t.Errorf("while too much is held: answer %s, want the last one, 2", got)
		}
		close(readers[0])
		synctest.Wait()
		if got := next(); got != "3" {
			t.Errorf("when the first one has read: answer %s, want 3", got)
		}
		close(readers[1])
		close(readers[2])
		synctest.Wait()
		if got := next(); got != "4" || f.Held() != 0 {
			t.Errorf("at the end: answer %s, %d bytes held; want 4 and none", got, f.Held())
		}
	})
}

// unwilling is a client that reads nothing before its release.
type unwilling struct {
	*httptest.ResponseRecorder
	release chan struct{}
}

func (u *unwilling) Write(p []byte) (int, error) {
	<-u.release
	return u.ResponseRecorder.Write(p)
}

// written is facts that are the same in every format.
type written func(io.Writer) error

func (f written) Write(w io.Writer, _ expfmt.FormatType, _ func(string) bool) (broken, err error) {
	return nil, f(w)
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

// dial connects; the connection ends with the test, or after ten minutes.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(32 << 10)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Minute))
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

func TestSlowClientsAreCutOff(t *testing.T) {
	// 800 kB that cost next to nothing to write, so that a busy machine has them in time.
	bulk := strings.Repeat("bulk{padding=\"a label value of some length, as resource names are\"} 1\n", 11_000)
	f := newServer(t, func(o *server.Options) {
		o.Facts = written(func(w io.Writer) error { _, err := io.WriteString(w, bulk); return err })
	})
	f.Hurry()
	address := f.run(t)
	t.Run("not reading", func(t *testing.T) {
		conn := unread(t, address)
		time.Sleep(2 * time.Second) // longer than a client may take for a piece
		n, _ := io.Copy(io.Discard, conn)
		if n == 0 || n > 700_000 {
			t.Errorf("got %d bytes, want a part", n)
		}
	})
	t.Run("reading slowly", func(t *testing.T) {
		conn := unread(t, address)
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // longer than an answer may take
			_, _ = io.CopyN(io.Discard, conn, 8<<10)
		}
		n, _ := io.Copy(io.Discard, conn)
		if n > 300_000 {
			t.Errorf("got %d bytes at the end, want the answer cut off", n)
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

// TestClientsThatAskOftenMakeRoom opens as many connections as may be open. Whatever is
// asked on the last of them, it ends, so that nobody is kept out by who never waits.
func TestClientsThatAskOftenMakeRoom(t *testing.T) {
	address := newServer(t, nil).run(t)
	ends := func(request string) bool {
		conn := dial(t, address)
		fmt.Fprint(conn, request, " HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.Close {
			_, _ = io.Copy(io.Discard, conn) // until it does not count any more
		}
		return resp.Close
	}
	for i := range server.MaxConnections - 1 {
		if ends("GET /-/healthy") {
			t.Fatalf("connection %d ends", i)
		}
	}
	for _, request := range []string{"GET /-/healthy", "GET /metrics", "GET /nothing", "POST /metrics", "OPTIONS *"} {
		if !ends(request) {
			t.Errorf("%s: the connection stays", request)
		}
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

// TestConnectionsGiveWay fills the server with connections of each kind. A new one is
// served within seconds, in place of the one that has waited longest for its client. One whose
// client waits for the server stays.
func TestConnectionsGiveWay(t *testing.T) {
	for name, wait := range map[string]func(*testing.T, string) net.Conn{
		"new": dial,
		"idle": func(t *testing.T, address string) net.Conn {
			t.Helper()
			conn := dial(t, address)
			if got := health(conn); got != "HTTP/1.1 200 OK" {
				t.Fatalf("health: %q", got)
			}
			return conn
		},
		"not reading": unread,
		"in the midst of a header": func(t *testing.T, address string) net.Conn {
			t.Helper()
			conn := dial(t, address)
			fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
			return conn
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gated{gate: make(chan struct{})}
			f := newServer(t, func(o *server.Options) {
				g.Gatherer, o.Gatherer = o.Gatherer, g
				o.Facts = written(func(w io.Writer) error { _, err := w.Write(make([]byte, 8<<20)); return err })
			})
			f.Freshness(time.Hour)
			f.Wait()
			address := f.run(t)
			go func() { g.gate <- struct{}{} }()
			get(t, address, "/metrics") // the text, which all get from here on
			scrape := dial(t, address)
			fmt.Fprint(scrape, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nAccept: application/openmetrics-text\r\n\r\n")
			for g.inside.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			conns := make([]net.Conn, server.MaxConnections)
			for i := range conns {
				if i < len(conns)-2 {
					conns[i] = wait(t, address)
				} else { // whoever asks on the last that has room is told to leave
					conns[i] = dial(t, address)
				}
			}
			if got := health(dial(t, address)); got != "HTTP/1.1 200 OK" {
				t.Errorf("one more: %q", got)
			}
			if name != "not reading" { // the kernel has a say in when the last piece began
				_ = conns[0].SetReadDeadline(time.Now().Add(time.Minute)) // before an idle connection ends by itself
				if _, err := io.Copy(io.Discard, conns[0]); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the oldest did not give way")
				}
			}
			close(g.gate)
			if answer, err := bufio.NewReader(scrape).ReadString('\n'); !strings.HasPrefix(answer, "HTTP/1.1 200") {
				t.Errorf("a scrape that waited: %q, %v", answer, err)
			}
		})
	}
}

// TestAllClientsWait lets as many clients as may connect wait for an answer: another one
// waits until they have theirs.
func TestAllClientsWait(t *testing.T) {
	g := &gated{gate: make(chan struct{})}
	f := newServer(t, func(o *server.Options) { g.Gatherer, o.Gatherer = o.Gatherer, g })
	address := f.run(t)
	conns := make([]net.Conn, server.MaxConnections)
	for i := range conns {
		conns[i] = dial(t, address)
		fmt.Fprint(conns[i], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	for f.Busy() < len(conns) {
		time.Sleep(time.Millisecond)
	}
	answered := make(chan string, 1)
	more := dial(t, address)
	go func() { answered <- health(more) }()
	select {
	case got := <-answered:
		t.Errorf("one more: %q, want no answer", got)
	case <-time.After(100 * time.Millisecond):
	}
	close(g.gate)
	for i, conn := range conns {
		if answer, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Fatalf("client %d: %q, %v", i, answer, err)
		}
	}
	if got := <-answered; got != "HTTP/1.1 200 OK" {
		t.Errorf("afterwards: %q", got)
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
