package server_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/server"
)

// TestSeveralAddresses serves on each of them, and on none if one is taken.
func TestSeveralAddresses(t *testing.T) {
	f := newServer(t, func(o *server.Options) { o.ListenAddresses = []string{"127.0.0.1:0", "127.0.0.1:0"} })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	var addresses []string
	for len(addresses) < 2 {
		addresses = regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(f.log.String(), -1)
		time.Sleep(time.Millisecond)
	}
	for _, address := range addresses {
		if status, body := get(t, address, "/metrics"); status != 200 || !strings.Contains(body, "\ngood 42\n") {
			t.Errorf("%s: got %d %s", address, status, body)
		}
	}
	taken := newServer(t, func(o *server.Options) { o.ListenAddresses = []string{"127.0.0.1:0", addresses[1]} })
	if err := taken.Run(ctx); err == nil || taken.log.String() != "" {
		t.Errorf("where one address is taken: got %v, want an error and nothing served: %s", err, taken.log)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, address := range addresses {
		if _, err := net.Dial("tcp", address); err == nil {
			t.Errorf("%s is served after the end", address)
		}
	}
}

func TestTelemetryPath(t *testing.T) {
	f := newServer(t, func(o *server.Options) { o.TelemetryPath = "/cas/metrics" })
	for path, want := range map[string]int{"/cas/metrics": 200, "/metrics": 404} {
		if got := f.ask("GET", path).Code; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
	for _, page := range []string{"/", "/runbooks"} {
		if got := f.ask("GET", page).Body.String(); !strings.Contains(got, `href="cas/metrics"`) {
			t.Errorf("%s has no link to the metrics", page)
		}
	}
}

// TestSystemdSocket passes a socket to another process as systemd does.
func TestSystemdSocket(t *testing.T) {
	const child = "TEST_SYSTEMD_CHILD"
	if os.Getenv(child) != "" {
		f := newServer(t, func(o *server.Options) { o.SystemdSocket = true })
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends it
			cancel()
		}()
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" -test.run='^TestSystemdSocket$'`, os.Args[0])
	c.Env, c.ExtraFiles = append(os.Environ(), child+"=1"), []*os.File{file}
	c.Stdout, c.Stderr = t.Output(), t.Output()
	stop, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, l.Addr().String(), "/metrics"); status != 200 || !strings.Contains(body, "\ngood 42\n") {
		t.Errorf("got %d %s", status, body)
	}
	_ = stop.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if err := newServer(t, func(o *server.Options) { o.SystemdSocket = true }).Run(t.Context()); err == nil {
		t.Error("without a socket: no error")
	}
}
