package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

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

// TestTLS serves by a web-config.yml over HTTP/2, refuses plain HTTP, and takes a
// renewed certificate without a restart.
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
		if got := resp.TLS.PeerCertificates[0].SerialNumber.Int64(); resp.StatusCode != 200 || resp.ProtoMajor != 2 || got != serial {
			t.Errorf("got %d over %s with certificate %d; want 200 over HTTP/2 with %d", resp.StatusCode, resp.Proto, got, serial)
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
			for _, path := range []string{"/metrics", "/", "/-/ready"} {
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
				if want == 200 && path == "/-/ready" {
					want = 503
				}
				if resp.StatusCode != want || want == 401 && !bytes.Equal(bytes.TrimSpace(body), []byte("Unauthorized")) {
					t.Errorf("%s %s as %q with %q: got %d %.40q, want %d", scheme, path, test.user, test.password, resp.StatusCode, body, want)
				}
			}
		}
	}
}

// TestBadWebConfig ends Run, instead of serving without what was asked for.
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
		f := newServer(t, func(o *server.Options) { o.WebConfigFile, o.ListenAddress = path, "127.0.0.1:0" })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := f.Run(ctx); err == nil {
			t.Errorf("%s: no error", name)
		}
		cancel()
	}
}

// TestHTTP2Flood opens and resets streams as fast as it can. Others are served
// meanwhile, and the requests do not pile up.
func TestHTTP2Flood(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "server", 2)
	f := newServer(t, func(o *server.Options) { o.WebConfigFile = a.config(t, withTLS) })
	address := f.run(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := flood(address, 1000); err != nil {
				t.Errorf("flood: %v", err)
			}
		})
	}
	for range 20 {
		resp, err := a.client().Get("https://" + address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		if n := runtime.NumGoroutine(); n > 1000 {
			t.Fatalf("%d goroutines", n)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			t.Errorf("beside a flood: %d, %v", resp.StatusCode, err)
		}
		_ = resp.Body.Close()
	}
	all.Wait()
}

// flood sends so many requests on one connection and resets each at once. The server
// may hang up on such a client.
func flood(address string, requests int) error {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err = io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, conn)
	if err = framer.WriteSettings(); err != nil {
		return err
	}
	first, err := framer.ReadFrame()
	if err != nil {
		return err
	}
	if n, ok := first.(*http2.SettingsFrame).Value(http2.SettingMaxConcurrentStreams); !ok || n != server.MaxStreams {
		return fmt.Errorf("%d streams are allowed, want %d", n, server.MaxStreams)
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	var headers bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	for i := range requests {
		headers.Reset()
		for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/metrics"}} {
			if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				return err
			}
		}
		stream := uint32(2*i + 1)
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: headers.Bytes(), EndStream: true, EndHeaders: true}) != nil ||
			framer.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			return nil
		}
	}
	return nil
}
