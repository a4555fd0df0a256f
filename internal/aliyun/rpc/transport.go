package rpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// NewTransport returns a transport for at most conns connections to a host, with
// HTTP/2. proxy returns the proxy for a request; nil means none.
func NewTransport(conns int, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  proxy,
		OnProxyConnectResponse: tunnel,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        conns,
		MaxIdleConnsPerHost:    conns,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// A request that times out ends its HTTP/2 stream, not the connection. Without
		// pings, a connection that a middlebox forgot would be used for ever.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

// proxyRefusal is the status with which a proxy refused to open a tunnel.
type proxyRefusal int

// Error implements error.
func (p proxyRefusal) Error() string {
	return fmt.Sprintf("the proxy refused the connection with status %d %s", int(p), http.StatusText(int(p)))
}

// tunnel hides the status line of a proxy that refuses, which can repeat the password.
func tunnel(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return proxyRefusal(resp.StatusCode)
}

// Unanswered explains why a request got no whole answer. Errors of net/http repeat the
// signed URL, or what a server or proxy sent instead of HTTP, so only known texts pass.
func Unanswered(err error) string {
	refusal, refused := errors.AsType[proxyRefusal](err)
	network, isNetwork := errors.AsType[*net.OpError](err)
	switch {
	case refused:
		return refusal.Error()
	case isNetwork:
		return network.Error() // knows hosts and the system's errors
	case untrusted(err) != nil:
		return untrusted(err).Error()
	}
	if at, ok := errors.AsType[*url.Error](err); ok {
		err = at.Err
	}
	text := err.Error()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the end of the answer"
	case slices.Contains([]string{"connection reset by peer", "http2: client connection lost", "http: server gave HTTP response to HTTPS client"}, text),
		strings.HasPrefix(text, "tls: "), strings.HasPrefix(text, "remote error: tls: "), strings.HasPrefix(text, "stream error: stream ID "):
		return text
	case strings.HasPrefix(text, "http2: server sent GOAWAY"): // and what it sent with it
		return "the server closed the HTTP/2 connection"
	case strings.Contains(text, "malformed"), strings.Contains(text, "HTTP/1.x transport"):
		return "the answer is not valid HTTP"
	default:
		return "the connection failed"
	}
}

// untrusted returns the error of a certificate that was not accepted, if it is one.
func untrusted(err error) error {
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificate
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return host
	}
	return nil
}
