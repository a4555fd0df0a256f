package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"aliyun_cas_exporter/internal/server"
)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	})
	a.write(t, "ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

// sign makes a certificate, which is its own issuer if there is none.
func (a *authority) sign(t *testing.T, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	issuer, signer := a.cert, a.key
	if issuer == nil {
		issuer, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// issue writes NAME.pem and NAME.key for loopback.
func (a *authority) issue(t *testing.T, name string, serial int64) tls.Certificate {
	t.Helper()
	cert, key := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".pem", "CERTIFICATE", cert.Raw)
	a.write(t, name+".key", "EC PRIVATE KEY", der)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// config writes a web-config.yml; paths in it are relative to it.
func (a *authority) config(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(a.dir, "web-config.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// client returns a client that trusts the authority and shows certificates.
func (a *authority) client(certs ...tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certs}, ForceAttemptHTTP2: true,
	}}
}

const (
	withTLS      = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
	withMTLS     = "tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}\n"
	withPassword = "basic_auth_users: {prometheus: $2a$04$DWoqS3/28CaBg/xD2/nqxO0bS6XraE6fTNNaXFxqFZvoX7lm5Ip7u} # open sesame\n"
)

// TestTLS serves by a web-config.yml over HTTP/1.1, refuses plain HTTP and HTTP/2, and
// takes a renewed certificate without a restart.
func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "server", 2)
	address := newServer(t, func(o *server.Options) { o.WebConfigFile = a.config(t, withTLS) }).run(t)
	for serial := int64(2); serial <= 3; serial++ {
		resp, err := a.client().Get("https://" + address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := resp.TLS.PeerCertificates[0].SerialNumber.Int64(); resp.StatusCode != 200 || resp.ProtoMajor != 1 || got != serial {
			t.Errorf("got %d over %s with certificate %d; want 200 over HTTP/1.1 with %d", resp.StatusCode, resp.Proto, got, serial)
		}
		// Renewed only after an answer: a server that starts reads the files at a moment of its own.
		a.issue(t, "server", serial+1)
	}
	if status, body := get(t, address, "/metrics"); status != 400 || strings.Contains(body, "good") {
		t.Errorf("plain HTTP: got %d %q, want 400", status, body)
	}
	if status, _, err := fetch("https://" + address); err == nil {
		t.Errorf("a client that does not trust us got %d", status)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}); err == nil {
		t.Error("HTTP/2 is spoken")
	}
}

func TestClientCertificates(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	a.issue(t, "server", 2)
	address := newServer(t, func(o *server.Options) { o.WebConfigFile = a.config(t, withMTLS) }).run(t)
	for name, test := range map[string]struct {
		certs []tls.Certificate
		want  bool
	}{
		"none":                   {nil, false},
		"of ours":                {[]tls.Certificate{a.issue(t, "client", 5)}, true},
		"of another's authority": {[]tls.Certificate{stranger.issue(t, "client", 5)}, false},
	} {
		for _, path := range []string{"/metrics", "/", "/-/healthy"} {
			resp, err := a.client(test.certs...).Get("https://" + address + path)
			if err == nil {
				_ = resp.Body.Close()
			}
			if got := err == nil && resp.StatusCode == 200; got != test.want {
				t.Errorf("%s with certificate %s: served is %v (%v), want %v", path, name, got, err, test.want)
			}
		}
	}
}

func TestPassword(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "server", 2)
	for scheme, config := range map[string]string{"https": withTLS + withPassword, "http": withPassword} {
		address := newServer(t, func(o *server.Options) { o.WebConfigFile = a.config(t, config) }).run(t)
		for _, test := range []struct {
			user, password string
			want           int
		}{
			{"prometheus", "open sesame", 200},
			{"prometheus", "wrong", 401},
			{"prometheus", "", 401},
			{"nobody", "open sesame", 401},
			{"", "", 401},
		} {
			for _, path := range []string{"/metrics", "/", "/probe-targets", "/-/ready"} {
				req, err := http.NewRequest(http.MethodGet, scheme+"://"+address+path, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				if test.user != "" {
					req.SetBasicAuth(test.user, test.password)
				}
				resp, err := a.client().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				want := test.want
				if path == "/-/ready" || path == "/probe-targets" && want == 200 { // it is no secret; the first poll has not ended
					want = 503
				}
				if resp.StatusCode != want || want == 401 && !bytes.Equal(bytes.TrimSpace(body), []byte("Unauthorized")) {
					t.Errorf("%s %s as %q with %q: got %d %.40q, want %d", scheme, path, test.user, test.password, resp.StatusCode, body, want)
				}
			}
		}
	}
}

// TestBadWebConfig makes no server, instead of one that serves without what was asked for.
func TestBadWebConfig(t *testing.T) {
	a := newAuthority(t)
	for name, text := range map[string]string{
		"no file":             "",
		"not YAML":            "{",
		"unknown field":       "tls: {}\n",
		"missing certificate": withTLS,
		"no hash":             "basic_auth_users: {prometheus: secret}\n",
	} {
		path := filepath.Join(a.dir, "absent.yml")
		if text != "" {
			path = a.config(t, text)
		}
		o := server.Options{WebConfigFile: path, TelemetryPath: "/metrics", Logger: slog.New(slog.DiscardHandler)}
		if _, err := server.New(o); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want an error without details", name, err)
		}
	}
}

// TestWebConfigBreaks breaks the configuration while the server runs, in ways in which a
// writer may leave it for a moment: nobody is let in, the log says so once and shows
// nothing of it, and it heals.
func TestWebConfigBreaks(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "server", 2)
	client := a.issue(t, "client", 3)
	for name, test := range map[string]struct{ good, broken string }{
		"emptied":                        {withPassword, ""},
		"without users":                  {withTLS + withPassword, withTLS},
		"without TLS":                    {withTLS + withPassword, withPassword},
		"without a client's certificate": {withMTLS, withTLS},
		"cut off":                        {withPassword, withPassword[:40]},
		"no hash":                        {withPassword, "basic_auth_users: {prometheus: open sesame}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := a.config(t, test.good)
			f := newServer(t, func(o *server.Options) { o.WebConfigFile = path })
			address := f.run(t)
			scheme := "http"
			if strings.Contains(test.good, "tls") {
				scheme = "https"
			}
			ask := func(password string) int {
				req, err := http.NewRequest(http.MethodGet, scheme+"://"+address+"/metrics", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				if password != "" {
					req.SetBasicAuth("prometheus", password)
				}
				transport := a.client(client).Transport.(*http.Transport)
				transport.DisableKeepAlives = true
				resp, err := transport.RoundTrip(req)
				if err != nil {
					return 0
				}
				_ = resp.Body.Close()
				return resp.StatusCode
			}
			if got := ask("open sesame"); got != 200 {
				t.Fatalf("before: %d, want 200", got)
			}
			a.config(t, test.broken)
			for range 3 {
				for _, password := range []string{"", "open sesame", "wrong"} {
					if got := ask(password); got != 500 && (got != 0 || scheme == "http") {
						t.Errorf("with password %q: %d, want 500 or no connection", password, got)
					}
				}
			}
			a.config(t, test.good)
			if got := ask("open sesame"); got != 200 {
				t.Errorf("after: %d, want 200", got)
			}
			log := f.log.String()
			if strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "valid again") || strings.Contains(log, "sesame") || strings.Contains(log, "$2a$") {
				t.Errorf("the log has not one error and its end, or shows what is in the file:\n%s", log)
			}
		})
	}
}

// TestPasswordThatCameLater empties a configuration that had no password at the start, and
// got one while the server ran.
func TestPasswordThatCameLater(t *testing.T) {
	a := newAuthority(t)
	path := a.config(t, "basic_auth_users: {}\n")
	f := newServer(t, func(o *server.Options) { o.WebConfigFile = path })
	for _, test := range []struct {
		config string
		want   int
	}{{"basic_auth_users: {}\n", 200}, {withPassword, 401}, {"", 500}, {withPassword, 401}} {
		a.config(t, test.config)
		if got := f.ask("GET", "/metrics").Code; got != test.want {
			t.Errorf("with the configuration %q: got %d, want %d", test.config, got, test.want)
		}
	}
}

// TestWrongPasswordsWaitInBounds has wrong passwords checked that take long. A few wait,
// the others are told to come back, and whoever was let in before is let in again.
func TestWrongPasswordsWaitInBounds(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("slow"), 9)
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t)
	config := a.config(t, strings.Replace(withPassword, "{", "{other: "+string(hash)+", ", 1))
	f := newServer(t, func(o *server.Options) { o.WebConfigFile = config })
	ask := func(user, password string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/metrics", http.NoBody)
		r.SetBasicAuth(user, password)
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, r)
		return w
	}
	if got := ask("prometheus", "open sesame").Code; got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	var refused, later atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			switch w := ask("other", "wrong"); {
			case w.Code == 401:
				refused.Add(1)
			case w.Code == 429 && w.Header().Get("Retry-After") == "1":
				later.Add(1)
			default:
				t.Errorf("got %d %v", w.Code, w.Header())
			}
		})
	}
	for later.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if got := ask("prometheus", "open sesame").Code; got != 200 {
		t.Errorf("who was let in before: got %d, want 200", got)
	}
	if got := f.ask("GET", "/-/healthy").Code; got != 200 {
		t.Errorf("health: got %d, want 200", got)
	}
	all.Wait()
	if got := refused.Load(); got < server.MaxChecks {
		t.Errorf("%d were checked, want %d at least", got, server.MaxChecks)
	}
	if got := ask("prometheus", "wrong").Code; got != 401 {
		t.Errorf("a wrong password after a right one: got %d, want 401", got)
	}
}

// TestRateLimit refuses what is beyond the configured rate, but never the health.
func TestRateLimit(t *testing.T) {
	a := newAuthority(t)
	f := newServer(t, func(o *server.Options) {
		o.WebConfigFile = a.config(t, "rate_limit: {interval: 1h, burst: 2}\nhttp_server_config: {headers: {X-Frame-Options: deny}}\n")
	})
	for i, want := range []int{200, 200, 429} {
		w := f.ask("GET", "/metrics")
		if w.Code != want || want == 200 && w.Header().Get("X-Frame-Options") != "deny" {
			t.Errorf("request %d: got %d %v, want %d and the configured header", i, w.Code, w.Header(), want)
		}
		if got := f.ask("GET", "/-/healthy").Code; got != 200 {
			t.Errorf("health: got %d", got)
		}
	}
}
