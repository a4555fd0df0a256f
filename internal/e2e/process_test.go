package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait. It is no measure of anything: the machine may be
// busy with other work.
const patience = time.Minute

// await waits until there is no reason to wait for what any longer.
func await(t *testing.T, what string, reason func() string) {
	t.Helper()
	why := reason()
	for deadline := time.Now().Add(patience); why != ""; why = reason() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s: %s", patience, what, why)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// program returns the path of a program that .ci/e2e.sh has put into place.
func program(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skip("needs Prometheus and Alertmanager: run make e2e")
	}
	return path
}

// process is a running program.
type process struct {
	*exec.Cmd
	address string // where it listens
	output  *output
	ended   chan struct{}
}

// run runs a command, at most until the test ends.
func run(t *testing.T, c *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: c, output: &output{}, ended: make(chan struct{})}
	p.Stdout, p.Stderr = p.output, p.output
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.Wait()
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(p.Path), allIsWell.ReplaceAllString(p.output.String(), ""))
		}
	})
	return p
}

// allIsWell is what Prometheus and Alertmanager say while nothing is wrong.
var allIsWell = regexp.MustCompile(`(?m)^.* level=INFO source=.*\n`)

// start runs a server, and waits until it listens.
func start(t *testing.T, env []string, path string, args ...string) *process {
	t.Helper()
	c := exec.Command(path, args...)
	c.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	p := run(t, c)
	listening := regexp.MustCompile(`msg="[Ll]istening on".* address=(\S+)`)
	await(t, path+" to listen", func() string {
		if m := listening.FindStringSubmatch(p.output.String()); m != nil {
			p.address = m[1]
			return ""
		}
		select {
		case <-p.ended:
			t.Fatalf("%s ended", path)
		default:
		}
		return "it does not"
	})
	return p
}

// stop asks the program to end, as service managers do, and waits.
func (p *process) stop() {
	_ = p.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.kill()
	}
}

// kill ends the program without asking, and waits.
func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.ended
}

// output is what a program printed.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
