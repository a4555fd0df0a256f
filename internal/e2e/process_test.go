//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/proctest"
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

// start runs a server with these variables and waits until it listens.
func start(t *testing.T, env []string, path string, args ...string) *proctest.Process {
	t.Helper()
	c := exec.Command(path, args...)
	c.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	return proctest.Serve(t, c)
}
