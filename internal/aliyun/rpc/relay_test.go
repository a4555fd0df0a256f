package rpc_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/aliyun/credentials"
	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// relay passes bytes between clients and a server. It can freeze the connections
// that there are: they neither pass bytes nor close. New ones work.
type relay struct {
	server string

	mu     sync.Mutex
	thaw   chan struct{} // closed at the end of the test
	frozen [2]chan struct{}
	opened int
	conns  []net.Conn
}

// The two directions of a relay.
const (
	requests = 1
	answers  = 2
)

// newRelay starts a relay to a server and returns its address.
func newRelay(t *testing.T, server string) (*relay, string) {
	t.Helper()
	r := &relay{server: server, thaw: make(chan struct{}), frozen: [2]chan struct{}{make(chan struct{}), make(chan struct{})}}
	listener := listen(t)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			r.relay(client)
		}
	}()
	t.Cleanup(func() {
		close(r.thaw)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, conn := range r.conns {
			conn.Close()
		}
	})
	return r, listener.Addr().String()
}

func (r *relay) relay(client net.Conn) {
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		client.Close()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened++
	r.conns = append(r.conns, client, server)
	go r.pump(server, client, r.frozen[0])
	go r.pump(client, server, r.frozen[1])
}

// pump passes bytes on until its direction is frozen.
func (r *relay) pump(to, from net.Conn, frozen chan struct{}) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-frozen:
			<-r.thaw
			return
		default:
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			to.Close()
			from.Close()
			return
		}
	}
}

// freeze freezes the directions of all connections so far.
func (r *relay) freeze(directions int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.frozen {
		if directions&(1<<i) != 0 {
			close(r.frozen[i])
			r.frozen[i] = make(chan struct{})
		}
	}
}

func (r *relay) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened
}

// TestAFrozenConnectionIsReplaced lets a middlebox forget connections that are in
// use: calls go over a new one soon after. The timeouts are those of NewTransport
// in small.
func TestAFrozenConnectionIsReplaced(t *testing.T) {
	call := func(t *testing.T, transport *http.Transport, address string) error {
		t.Helper()
		client, err := rpc.New(rpc.Options{
			Endpoint: "https://" + address, Version: "2020-04-07", RegionID: "cn-hangzhou", Transport: transport, Timeout: 200 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Call(t.Context(), rpc.NewCredentials("id", "secret", ""), "ListWorkerResource", nil, discard)
		return err
	}
	fetch := func(change func(o *credentials.Options, address string)) func(*testing.T, *http.Transport, string) error {
		return func(t *testing.T, transport *http.Transport, address string) error {
			t.Helper()
			o := credentials.Options{Transport: transport, SessionName: "session"}
			change(&o, address)
			p, err := credentials.New(o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Credentials(t.Context())
			return err
		}
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("jwt"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		freeze int
		proto  string
		busy   bool // calls are under way
		proxy  bool // a proxy stands before the relay
		ask    func(*testing.T, *http.Transport, string) error
	}{
		{"both directions", requests | answers, "HTTP/2.0", false, false, call},
		{"answers alone", answers, "HTTP/2.0", false, false, call},
		{"requests alone", requests, "HTTP/2.0", false, false, call},
		{"calls under way", requests | answers, "HTTP/2.0", true, false, call},
		{"behind a proxy", requests | answers, "HTTP/2.0", false, true, call},
		{"HTTP/1.1", requests | answers, "HTTP/1.1", false, false, call},
		{"credentials URI", requests | answers, "HTTP/2.0", false, false, fetch(func(o *credentials.Options, address string) {
			o.Source, o.URI = "uri", func() string { return "https://" + address }
		})},
		{"STS, OIDC", requests | answers, "HTTP/2.0", false, false, fetch(func(o *credentials.Options, address string) {
			o.Source, o.OIDCTokenFile, o.STSEndpoint = "oidc", token, "https://"+address
		})},
		{"STS, a role", requests | answers, "HTTP/2.0", false, false, fetch(func(o *credentials.Options, address string) {
			o.Source, o.Key, o.Role.ARN, o.STSEndpoint = "env", rpc.NewCredentials("id", "secret", ""), "acs:ram::1:role/x", "https://"+address
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			slow := make(chan struct{}, 4)
			server := newH2Server(t, test.proto, slow)
			relay, address := newRelay(t, server.Listener.Addr().String())
			transport := server.Client().Transport.(*http.Transport)
			settings := rpc.NewTransport(4, nil)
			settings.TLSClientConfig = transport.TLSClientConfig.Clone()
			settings.TLSClientConfig.NextProtos = nil
			settings.ForceAttemptHTTP2 = test.proto == "HTTP/2.0"
			settings.HTTP2.SendPingTimeout, settings.HTTP2.PingTimeout = settings.HTTP2.SendPingTimeout/100, settings.HTTP2.PingTimeout/100
			t.Cleanup(settings.CloseIdleConnections)
			if test.proxy {
				settings.Proxy = connectProxy(t)
			}
			answered := func(when string) {
				t.Helper()
				start := time.Now()
				for failures := 0; ; failures++ {
					err := test.ask(t, settings, address)
					if err == nil {
						t.Logf("%s: %d failures, %v", when, failures, time.Since(start))
						return
					}
					if time.Since(start) > 20*time.Second {
						t.Fatalf("%s: after %d failures: %v", when, failures, err)
					}
				}
			}
			answered("before the freeze") // a busy machine can need a second try
			before := relay.connections()
			if test.busy {
				var calls sync.WaitGroup
				defer calls.Wait()
				for range cap(slow) {
					slow <- struct{}{}
					calls.Go(func() { _ = test.ask(t, settings, address) })
				}
				for len(slow) > 0 {
					time.Sleep(time.Millisecond)
				}
			}
			relay.freeze(test.freeze)
			answered("after the freeze")
			if relay.connections() == before {
				t.Error("no connection was opened: the freeze froze nothing")
			}
		})
	}
}

// newH2Server answers every question with all that could be asked for, but for one
// question for each that slow holds.
func newH2Server(t *testing.T, proto string, slow chan struct{}) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != proto {
			t.Errorf("got %s, want %s", r.Proto, proto)
		}
		select {
		case <-slow:
			<-r.Context().Done()
		default:
		}
		const key = `"AccessKeyId":"a","AccessKeySecret":"b","SecurityToken":"c","Expiration":"2999-01-01T00:00:00Z"`
		fmt.Fprint(w, `{"Credentials":{`+key+`},`+key+`}`)
	}))
	server.EnableHTTP2 = proto == "HTTP/2.0"
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// connectProxy returns the rule to ask a proxy that opens tunnels.
func connectProxy(t *testing.T) func(*http.Request) (*url.URL, error) {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(far, near); far.Close() }()
		_, _ = io.Copy(near, far)
		near.Close()
	}))
	t.Cleanup(proxy.Close)
	return func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
}
