package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// program is a running exporter, or naive exporter.
type program struct {
	cmd     *exec.Cmd
	address string
	began   time.Time
	log     bytes.Buffer
	exited  chan struct{}
}

// startExporter starts the exporter on an API.
func (b *bench) startExporter(a *api, settings ...string) (*program, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(b.exporter)
	cmd.Env = append(b.environment(a), append([]string{"CAS_WEB_LISTEN_ADDRESS=" + address}, settings...)...)
	return start(cmd, address)
}

func (b *bench) environment(a *api) []string {
	return []string{
		"CAS_ENDPOINT=" + a.server.URL, "SSL_CERT_FILE=" + a.ca, "CAS_REQUESTS_PER_SECOND=10000",
		"ALIBABA_CLOUD_ACCESS_KEY_ID=" + simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + simulator.DemoAccessKeySecret,
	}
}

// startNaive starts the naive exporter on an API.
func (b *bench) startNaive(a *api, arguments ...string) (*program, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return start(exec.Command(b.naive, append([]string{
		"-api", a.server.URL, "-key", simulator.DemoAccessKeyID, "-secret", simulator.DemoAccessKeySecret, "-listen", address,
	}, arguments...)...), address)
}

func start(cmd *exec.Cmd, address string) (*program, error) {
	p := &program{cmd: cmd, address: address, began: time.Now(), exited: make(chan struct{})}
	cmd.Stderr = &p.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *program) stop() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// scrape returns the metrics.
func (p *program) scrape() (string, error) {
	resp, err := http.Get("http://" + p.address + "/metrics")
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// await scrapes until a series has at least a value.
func (p *program) await(series string, least float64) error {
	for deadline := time.Now().Add(20 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.exited:
			return fmt.Errorf("the program ended:\n%s", p.log.Bytes())
		default:
		}
		text, err := p.scrape()
		if err != nil {
			continue
		}
		if v, err := value(text, series); err == nil && v >= least {
			return nil
		}
	}
	return fmt.Errorf("%s did not become %v\n%s", series, least, p.log.Bytes())
}

// value returns the value of a series as it is written in an exposition.
func value(text, series string) (float64, error) {
	_, after, ok := strings.Cut("\n"+text, "\n"+series+" ")
	if !ok {
		return 0, errors.New("no series " + series)
	}
	number, _, _ := strings.Cut(after, "\n")
	return strconv.ParseFloat(number, 64)
}

// status returns a number of kilobytes of /proc/PID/status, in MiB.
func (p *program) status(name string) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			kB, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "kB")), 64)
			return kB / 1024, err
		}
	}
	return 0, errors.New("no " + name)
}

// resident describes the memory that a program holds, and held at most.
func (p *program) resident(what string, goal string) ([]figure, error) {
	text, err := p.scrape()
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, f := range []struct{ name, status, series string }{
		{"peak resident memory", "VmHWM", ""},
		{"resident", "VmRSS", ""},
		{"resident: of the binary's file", "RssFile", ""},
		{"heap in use", "", "go_memstats_heap_inuse_bytes"},
		{"heap that is kept for later", "", "go_memstats_heap_idle_bytes"},
		{"heap given back to the system", "", "go_memstats_heap_released_bytes"},
		{"stacks", "", "go_memstats_stack_inuse_bytes"},
	} {
		var v float64
		if f.status != "" {
			v, err = p.status(f.status)
		} else {
			v, err = value(text, f.series)
			v /= 1 << 20
		}
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{what + ": " + f.name, v, " MiB", ""})
	}
	figures[0].goal = goal
	return figures, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// cpu returns the processor time that a program has used, in seconds.
func (p *program) cpu() (float64, error) {
	text, err := p.scrape()
	if err != nil {
		return 0, err
	}
	return value(text, "process_cpu_seconds_total")
}

// countSeries counts the series of a family, or all.
func countSeries(text, family string) int {
	n := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") && (family == "" || strings.HasPrefix(line, family+"{") || strings.HasPrefix(line, family+" ")) {
			n++
		}
	}
	return n
}

// settle waits until every job was read, and the round that did it has ended.
func (p *program) settle(jobs int) error {
	for read := 0; read < jobs; time.Sleep(200 * time.Millisecond) {
		text, err := p.scrape()
		if err != nil {
			continue
		}
		read = countSeries(text, "aliyun_cas_deployment_job_workers")
	}
	text, err := p.scrape()
	if err != nil {
		return err
	}
	last, err := value(text, "aliyun_cas_poll_last_timestamp_seconds")
	if err != nil {
		last = 0
	}
	err = p.await("aliyun_cas_poll_last_timestamp_seconds", last+0.001)
	return err
}
