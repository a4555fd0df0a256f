package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"aliyun_cas_exporter/config"
)

// healthcheck asks the exporter on this host whether it is alive, for images
// without a shell.
func healthcheck(ctx context.Context, s *config.Settings, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for _, address := range s.WebListenAddress {
		if err := alive(ctx, address, s.WebConfigFile == ""); err != nil {
			_, _ = fmt.Fprintln(stderr, "unhealthy:", err)
			return exitFailed
		}
	}
	return exitOK
}

// alive reports why nothing serves on the listen address, nil if something does.
// With TLS or a password, an accepted TCP connection counts as healthy: it has no
// certificate and no password to send.
func alive(ctx context.Context, listen string, plain bool) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	address := net.JoinHostPort(host, port)
	if !plain {
		conn, refused := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if refused != nil {
			return refused
		}
		return conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/-/healthy", http.NoBody)
	if err != nil {
		return err
	}
	// A transport of its own: no proxy stands between a host and itself.
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL, resp.Status)
	}
	return nil
}
