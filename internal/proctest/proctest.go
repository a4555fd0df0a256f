// Package proctest runs programs for tests: each ends with its test, and what it printed is shown where the test fails.
package proctest

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait. It is no measure of anything: the machine may be busy with other work.
const patience = 90 * time.Second

// Process is a running program.
type Process struct {
	*exec.Cmd
	Address string // where it listens, of one that Serve started
	Output  *Output
	Ended   chan struct{}
}

// Run starts a command, which runs at most until the test ends.
func Run(t *testing.T, c *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: c, Output: &Output{}, Ended: make(chan struct{})}
	p.Stdout, p.Stderr = p.Output, p.Output
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.Ended)
		_ = p.Wait()
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(p.Path), allIsWell.ReplaceAllString(p.Output.String(), ""))
		}
	})
	return p
}

// allIsWell is what Prometheus and Alertmanager say while nothing is wrong.
var allIsWell = regexp.MustCompile(`(?m)^.* level=INFO source=.*\n`)

// listening is how this program and those of Prometheus say where they listen.
var listening = regexp.MustCompile(`(?i)msg="listening on".* address=(\S+)`)

// Serve starts a server, and waits until it listens. It must choose the port itself: one that a test finds free can be
// taken a moment later.
func Serve(t *testing.T, c *exec.Cmd) *Process {
	t.Helper()
	p := Run(t, c)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if m := listening.FindStringSubmatch(p.Output.String()); m != nil {
			p.Address = m[1]
			return p
		}
		select {
		case <-p.Ended:
			t.Fatalf("%s ended", c.Path)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has not said for %v where it listens", c.Path, patience)
		}
	}
}

// Stop asks the program to end, as service managers do, and waits.
func (p *Process) Stop() {
	_ = p.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended:
	case <-time.After(patience):
		p.Kill()
	}
}

// Kill ends the program without asking, and waits.
func (p *Process) Kill() {
	_ = p.Process.Kill()
	<-p.Ended
}

// Output is what a program, or a part of it, printed. It may be read while it is written.
type Output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
