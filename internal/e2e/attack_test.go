//go:build attack

package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"aliyun_cas_exporter/internal/proctest"
	"aliyun_cas_exporter/internal/simulator"
)

const (
	attackTime   = 15 * time.Second
	attackJobs   = 250 // of 40 series
	mostResident = 96 << 20
)

// TestAttack lets clients on loopback do their worst to the built exporter with 10,000
// series: `make attack`. Meanwhile it asks for the health and scrapes, as Kubernetes and
// Prometheus do, and at the end it reads from the kernel how much memory was needed.
func TestAttack(t *testing.T) {
	for _, test := range []struct {
		name   string
		attack func(context.Context, string)
	}{
		{"idle", func(ctx context.Context, address string) { crowd(ctx, address, 512, idle) }},
		{"slow", func(ctx context.Context, address string) { crowd(ctx, address, 512, slow) }},
		{"fast", func(ctx context.Context, address string) { crowd(ctx, address, 300, fast) }},
		{"often", func(ctx context.Context, address string) { crowd(ctx, address, 512, often) }},
		{"choosy", func(ctx context.Context, address string) { crowd(ctx, address, 300, choosy) }},
		{"headers", func(ctx context.Context, address string) { crowd(ctx, address, 512, halfAHeader) }},
		{"all", func(ctx context.Context, address string) {
			var all sync.WaitGroup
			all.Go(func() { crowd(ctx, address, 512, idle) })
			all.Go(func() { crowd(ctx, address, 300, slow) })
			all.Go(func() { crowd(ctx, address, 300, fast) })
			all.Wait()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := attacked(t)
			ctx, cancel := context.WithTimeout(t.Context(), attackTime)
			defer cancel()
			w := p.watch(ctx, t, "")
			test.attack(ctx, p.Address)
			w.judge(t, 0.99)
		})
	}
}

// TestAttackPasswords sends 40,000 wrong passwords over HTTP/1.1. Whoever had the right
// one before is served meanwhile, and whoever comes with it afterwards within 10 s.
func TestAttackPasswords(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), 10)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "web.yml")
	users := fmt.Sprintf("basic_auth_users: {known: %q, other: %q}\n", hash, hash)
	if err := os.WriteFile(config, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	p := attacked(t, "CAS_WEB_CONFIG_FILE="+config)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if problem := p.scrape(ctx, &http.Client{}, "known"); problem != "" {
		t.Fatal(problem)
	}
	watching, end := context.WithCancel(ctx)
	w := p.watch(watching, t, "known")
	var left atomic.Int64
	left.Store(40_000)
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
			for n := left.Add(-1); n >= 0 && ctx.Err() == nil; n = left.Add(-1) {
				req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Address+"/metrics", http.NoBody)
				req.SetBasicAuth("other", fmt.Sprint("wrong", n))
				if resp, err := client.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}
		})
	}
	all.Wait()
	end()
	began := time.Now()
	for problem := "not yet"; problem != ""; problem = p.scrape(ctx, &http.Client{}, "other") {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("no valid scrape 10 s after the end: %s", problem)
		}
	}
	t.Logf("the first valid scrape ended after %v", time.Since(began).Round(time.Millisecond))
	w.judge(t, 0.99)
}

// target is the exporter under attack.
type target struct{ *proctest.Process }

// attacked starts the exporter and waits until it has read all of an estate.
func attacked(t *testing.T, settings ...string) target {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "exporter")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "aliyun_cas_exporter")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sim := simulator.New(simulator.Options{})
	at := time.Now().Add(-time.Hour)
	for id := range int64(attackJobs) {
		var workers []simulator.Worker
		for i, status := range []string{"success", "success", "success", "error"} {
			workers = append(workers, simulator.Worker{
				ID: id*10 + int64(i) + 1, Status: status, CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: at,
				InstanceID: "lb-2ze7jvmapp6sjw7glvgx0", ResourceDomain: "www.example.com",
			})
		}
		sim.PutJob(simulator.Job{
			ID: 240_000 + id, Name: "renewal-www.example.com", Status: "success", JobType: "user", CertType: "upload",
			Created: at, Modified: at, Schedule: at, Start: at, End: at,
			Certificates: []simulator.Certificate{{ID: 12073663, Name: "www.example.com", CommonName: "www.example.com", NotAfter: at}},
		}, workers)
	}
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	p := target{start(t, append([]string{
		"CAS_ENDPOINT=" + api.URL, "CAS_REQUESTS_PER_SECOND=1000", "CAS_WEB_LISTEN_ADDRESS=127.0.0.1:0",
		"ALIBABA_CLOUD_ACCESS_KEY_ID=" + simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + simulator.DemoAccessKeySecret,
	}, settings...), binary)}
	await(t, "the first poll", func() string {
		resp, err := http.Get("http://" + p.Address + "/-/ready")
		if err != nil {
			return err.Error()
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return resp.Status
		}
		return ""
	})
	return p
}

// scrape asks for the metrics with a user's password, and tells what is wrong with the
// answer.
func (p target) scrape(ctx context.Context, client *http.Client, user string) (problem string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Address+"/metrics", http.NoBody)
	if err != nil {
		return err.Error()
	}
	if user != "" {
		req.SetBasicAuth(user, "right")
	}
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err.Error()
	case resp.StatusCode != http.StatusOK:
		return resp.Status
	case bytes.Count(text, []byte("\naliyun_cas_deployment_")) < attackJobs*30:
		return fmt.Sprintf("%d bytes without all jobs", len(text))
	default:
		return ""
	}
}

// siege counts what the attacked exporter still does.
type siege struct {
	target
	done                            sync.WaitGroup
	scrapes, bad, health, unhealthy int
	problem                         string // of the last bad scrape
	slowest                         time.Duration
}

// watch scrapes twice a second and asks for the health five times, until ctx ends.
func (p target) watch(ctx context.Context, t *testing.T, user string) *siege {
	t.Helper()
	w := &siege{target: p}
	w.done.Go(func() {
		client := &http.Client{Transport: &http.Transport{}} // with connections that it keeps, as Prometheus has
		for tick := time.NewTicker(500 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			began := time.Now()
			if problem := p.scrape(context.WithoutCancel(ctx), client, user); problem != "" {
				w.bad, w.problem = w.bad+1, problem
			}
			w.scrapes++
			w.slowest = max(w.slowest, time.Since(began))
		}
	})
	w.done.Go(func() {
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}} // as the kubelet
		for tick := time.NewTicker(200 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			resp, err := client.Get("http://" + p.Address + "/-/healthy")
			if err == nil {
				_ = resp.Body.Close()
			}
			if err != nil || resp.StatusCode != http.StatusOK {
				w.unhealthy++
			}
			w.health++
		}
	})
	return w
}

// judge waits for the end and compares.
func (w *siege) judge(t *testing.T, least float64) {
	t.Helper()
	w.done.Wait()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	var resident int
	if _, err := fmt.Sscan(peak, &resident); err != nil {
		t.Fatal(err)
	}
	valid := float64(w.scrapes-w.bad) / float64(w.scrapes)
	t.Logf("%d of %d scrapes are valid, the slowest took %v; %d of %d health checks; at most %d MiB resident",
		w.scrapes-w.bad, w.scrapes, w.slowest.Round(time.Millisecond), w.health-w.unhealthy, w.health, resident>>10)
	if valid < least || w.scrapes < 5 {
		t.Errorf("%.1f %% of scrapes are valid, want %.1f %%: %s", 100*valid, 100*least, w.problem)
	}
	if w.unhealthy > 0 || w.health < 5 {
		t.Errorf("%d of %d health checks failed", w.unhealthy, w.health)
	}
	if resident<<10 > mostResident {
		t.Errorf("want %d MiB at most", mostResident>>20)
	}
}

// crowd has so many clients connect, and connect again when they are cut off, until ctx
// ends.
func crowd(ctx context.Context, address string, n int, client func(context.Context, net.Conn)) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
				if err != nil {
					continue
				}
				_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
				stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
				client(ctx, conn)
				stop()
				_ = conn.Close()
				pause(ctx, 100*time.Millisecond)
			}
		})
	}
	all.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// idle asks once and then keeps the connection.
func idle(_ context.Context, conn net.Conn) {
	_, _ = io.WriteString(conn, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn)
}

// halfAHeader never ends its request.
func halfAHeader(_ context.Context, conn net.Conn) {
	_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	_, _ = io.Copy(io.Discard, conn)
}

// slow asks for the metrics without gzip and does not read them.
func slow(ctx context.Context, conn net.Conn) {
	_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	pause(ctx, 8*time.Second)
}

// fast scrapes as fast as it is answered, on one connection.
func fast(ctx context.Context, conn net.Conn) { ask(ctx, conn, func() string { return "/metrics" }, 0) }

// choosy asks for one page after the other that nobody else asks for, as fast as it is answered.
func choosy(ctx context.Context, conn net.Conn) {
	ask(ctx, conn, func() string {
		n := rand.IntN(1_000_000)
		return []string{fmt.Sprint("/?q=renewal&account=&status=success&alert=any&n=", n), fmt.Sprint("/?q=", n), fmt.Sprint("/jobs/", 240_000+n%attackJobs)}[n%3]
	}, 0)
}

// often asks for the health before it has waited so long that its connection gives way.
func often(ctx context.Context, conn net.Conn) {
	ask(ctx, conn, func() string { return "/-/healthy" }, 500*time.Millisecond)
}

// ask asks on one connection until that ends, with pauses.
func ask(ctx context.Context, conn net.Conn, path func() string, between time.Duration) {
	for answers := bufio.NewReader(conn); ; pause(ctx, between) {
		_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", path())
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if _ = resp.Body.Close(); err != nil {
			return
		}
	}
}
