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

// bulky serves facts of 800 kB.
func bulky(o *server.Options) {
	bulk := strings.Repeat("bulk{padding=\"a label value of some length, as resource names are\"} 1\n", 11_000)
	o.Facts = written(func(w io.Writer) error { _, err := io.WriteString(w, bulk); return err })
}

// TestSlowReadersHoldLittle has as many clients as may connect ask for 800 kB and not
// read it, and then again as many. They get some twenty answers.
func TestSlowReadersHoldLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 48 << 20
		f := newServer(t, bulky)
		f.Freshness(50 * time.Millisecond)
		l := f.serveInMemory(t)
		before := heap()
		for range 2 * server.MaxConnections {
			unread(t, l)
			time.Sleep(time.Millisecond)
		}
		held := int64(heap()) - int64(before)
		t.Logf("%d slow readers hold %d KiB", server.MaxConnections, held>>10)
		if held > most {
			t.Errorf("more than %d KiB", most>>10)
		}
		if status, body := l.get(t, "/metrics"); status != 200 || len(body) < 700_000 {
			t.Errorf("beside them: %d, %d bytes", status, len(body))
		}
	})
}

// TestHeldAnswersAreBounded lets slow readers hold answers of 10 MB that cannot be
// compressed. Those who come then get the last one, until others have read theirs.
func TestHeldAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noise := make([]byte, 10<<20)
		_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
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
func unread(t *testing.T, l inMemory) net.Conn {
	t.Helper()
	conn := l.dial(t)
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

// TestSlowClientsAreCutOff: a client has 5 seconds for its headers, 5 for each piece of the
// answer, 30 for all of it, and loses nothing before.
func TestSlowClientsAreCutOff(t *testing.T) {
	const whole = 700_000
	const request = "GET /metrics HTTP/1.1\r\nHost: x\r\n"
	for name, play := range map[string]func(t *testing.T, conn net.Conn){
		"not reading": func(t *testing.T, conn net.Conn) {
			t.Helper()
			fmt.Fprint(conn, request, "\r\n")
			time.Sleep(6 * time.Second)
			if n, _ := io.Copy(io.Discard, conn); n > whole {
				t.Errorf("got %d bytes, want a part", n)
			}
		},
		"reading late": func(t *testing.T, conn net.Conn) {
			t.Helper()
			fmt.Fprint(conn, request, "Connection: close\r\n\r\n")
			time.Sleep(4 * time.Second)
			if n, err := io.Copy(io.Discard, conn); n < whole || err != nil {
				t.Errorf("got %d bytes, %v; want all", n, err)
			}
		},
		"reading slowly": func(t *testing.T, conn net.Conn) {
			t.Helper()
			fmt.Fprint(conn, request, "\r\n")
			start, n := time.Now(), int64(0)
			for err := error(nil); err == nil; time.Sleep(500 * time.Millisecond) { // 4 seconds for a piece
				var m int64
				m, err = io.CopyN(io.Discard, conn, 8<<10)
				n += m
			}
			if took := time.Since(start); n > whole || took < 30*time.Second || took > 31*time.Second {
				t.Errorf("got %d bytes in %v, want a part in 30s", n, took)
			}
		},
		"connecting": func(t *testing.T, conn net.Conn) { t.Helper(); isCutOff(t, conn) },
		"sending headers": func(t *testing.T, conn net.Conn) {
			t.Helper()
			fmt.Fprint(conn, request, "X-Slow: ")
			isCutOff(t, conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				play(t, newServer(t, bulky).serveInMemory(t).dial(t))
			})
		})
	}
}

// isCutOff fails unless a connection ends without an answer after 5 seconds.
func isCutOff(t *testing.T, conn net.Conn) {
	t.Helper()
	start := time.Now()
	answer, err := io.ReadAll(conn)
	if took := time.Since(start); err != nil || strings.HasPrefix(string(answer), "HTTP/1.1 200") || took < 5*time.Second || took > 6*time.Second {
		t.Errorf("got %q, %v after %v; want the end of the connection after 5s", answer, err, took)
	}
}

// TestClientsThatAskOftenMakeRoom opens as many connections as may be open. Whatever is
// asked on the last of them, it ends, so that nobody is kept out by who never waits.
func TestClientsThatAskOftenMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newServer(t, nil).serveInMemory(t)
		ends := func(request string) bool {
			conn := l.dial(t)
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
	})
}

func TestMuchIsRefused(t *testing.T) {
	for name, request := range map[string]string{
		"1 MB in one header":   "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20),
		"1 MB in many headers": "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: xxxxxxxxx\r\n", 70_000),
		"1 MB of address":      "GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: x\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := newServer(t, nil).serveInMemory(t).dial(t)
				go func() { fmt.Fprint(conn, request, "\r\n\r\n") }()
				answer, _ := bufio.NewReader(conn).ReadString('\n')
				if !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
					t.Errorf("got %q, want status 431", answer)
				}
			})
		})
	}
}

// TestConnectionsGiveWay fills the server with connections of each kind. A new one is
// served within a second, in place of the one that has waited longest for its client. One
// whose client waits for the server stays.
func TestConnectionsGiveWay(t *testing.T) {
	for name, wait := range map[string]func(*testing.T, inMemory) net.Conn{
		"new": func(t *testing.T, l inMemory) net.Conn { t.Helper(); return l.dial(t) },
		"idle": func(t *testing.T, l inMemory) net.Conn {
			t.Helper()
			conn := l.dial(t)
			if got := health(conn); got != "HTTP/1.1 200 OK" {
				t.Fatalf("health: %q", got)
			}
			return conn
		},
		"not reading": unread,
		"in the midst of a header": func(t *testing.T, l inMemory) net.Conn {
			t.Helper()
			conn := l.dial(t)
			fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
			return conn
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { giveWay(t, wait) })
		})
	}
}

func giveWay(t *testing.T, wait func(*testing.T, inMemory) net.Conn) {
	t.Helper()
	g := &gated{gate: make(chan struct{})}
	f := newServer(t, func(o *server.Options) {
		g.Gatherer, o.Gatherer = o.Gatherer, g
		o.Facts = written(func(w io.Writer) error { _, err := w.Write(make([]byte, 1<<20)); return err })
	})
	f.Freshness(time.Hour)
	l := f.serveInMemory(t)
	go func() { g.gate <- struct{}{} }()
	l.get(t, "/metrics") // the text, which all get from here on
	scrape := l.dial(t)
	fmt.Fprint(scrape, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nAccept: application/openmetrics-text\r\n\r\n")
	if synctest.Wait(); g.inside.Load() != 1 {
		t.Fatal("nothing is being gathered")
	}
	conns := make([]net.Conn, server.MaxConnections)
	for i := range conns {
		if i < len(conns)-2 {
			conns[i] = wait(t, l)
		} else { // whoever asks on the last that has room is told to leave
			conns[i] = l.dial(t)
		}
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	if got := health(l.dial(t)); got != "HTTP/1.1 200 OK" || time.Since(start) > time.Second {
		t.Errorf("one more: %q after %v", got, time.Since(start))
	}
	for i, gone := range []bool{true, true, false} { // the last of conns was one more, too
		_ = conns[i].SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := io.Copy(io.Discard, conns[i]); errors.Is(err, os.ErrDeadlineExceeded) == gone {
			t.Errorf("connection %d: gone is %v, want %v", i, !gone, gone)
		}
	}
	close(g.gate)
	if answer, err := bufio.NewReader(scrape).ReadString('\n'); !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Errorf("a scrape that waited: %q, %v", answer, err)
	}
}

// TestAllClientsWait lets as many clients as may connect wait for an answer: another one
// waits until they have theirs.
func TestAllClientsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gated{gate: make(chan struct{})}
		l := newServer(t, func(o *server.Options) { g.Gatherer, o.Gatherer = o.Gatherer, g }).serveInMemory(t)
		conns := make([]net.Conn, server.MaxConnections)
		for i := range conns {
			conns[i] = l.dial(t)
			fmt.Fprint(conns[i], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		answered := make(chan string, 1)
		more := l.dial(t)
		go func() { answered <- health(more) }()
		select {
		case got := <-answered:
			t.Errorf("one more: %q, want no answer", got)
		case <-time.After(10 * time.Second):
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
	})
}

// health asks for the health on a connection and returns the first line.
func health(conn net.Conn) string {
	fmt.Fprint(conn, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer)
}
