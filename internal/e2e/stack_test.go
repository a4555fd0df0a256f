//go:build e2e

package e2e_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"aliyun_cas_exporter/internal/proctest"
	"aliyun_cas_exporter/internal/simulator"
)

// TestStack runs .ci/stack.sh, ends it in each way that it offers, and holds that
// nothing is left of it.
func TestStack(t *testing.T) {
	program(t, "E2E_EXPORTER")
	t.Parallel()
	for name, end := range map[string]func(group int, keyboard io.Writer) error{
		"by a key":  func(_ int, keyboard io.Writer) error { _, err := keyboard.Write([]byte("\n")); return err },
		"by Ctrl-C": func(group int, _ io.Writer) error { return syscall.Kill(-group, syscall.SIGINT) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			temporary := t.TempDir()
			c := exec.Command("../../.ci/stack.sh")
			c.Env = append(os.Environ(), "TMPDIR="+temporary)
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a group of its own, as a terminal gives it
			keyboard, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stack := proctest.Run(t, c)
			group := stack.Process.Pid
			address := works(t, stack)

			if err := end(group, keyboard); err != nil {
				t.Fatal(err)
			}
			await(t, "the stack to end", func() string {
				if err := syscall.Kill(-group, 0); !errors.Is(err, syscall.ESRCH) {
					return "a process is left"
				}
				return ""
			})
			<-stack.Ended
			if code := stack.ProcessState.ExitCode(); code != 0 {
				t.Errorf("it ended with status %d", code)
			}
			for name, a := range address {
				if conn, err := net.Dial("tcp", a); err == nil {
					_ = conn.Close()
					t.Errorf("%s listens still", name)
				}
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("files are left: %v %v", left, err)
			}
		})
	}
}

// works waits until everything in a stack works, and returns the addresses that
// it prints.
func works(t *testing.T, stack *proctest.Process) map[string]string {
	t.Helper()
	await(t, "the addresses", func() string {
		if !strings.Contains(stack.Output.String(), "Press any key") {
			return "they are not printed"
		}
		return ""
	})
	address := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+) +(http://([\d.:]+)/\S*)`).FindAllStringSubmatch(stack.Output.String(), -1) {
		address[m[1]] = m[3]
		await(t, m[2], func() string {
			_, problem := page(m[2])
			return problem
		})
	}
	p := prometheus{t, address["Prometheus"]}
	p.knows(address["Alertmanager"])
	p.sees(`up{job="aliyun-cas-exporter"}`, "instance", map[string]float64{address["exporter"]: 1})
	p.sees(`max by (alertname) (ALERTS{alertname="`+workersFailed+`"})`, "alertname", map[string]float64{workersFailed: 1})
	p.sees(`count by (job_id) (probe_success{job="served-certificates"} == 1)`, "job_id", map[string]float64{strconv.Itoa(simulator.HostsJobID): 3})
	p.sees(`count by (alertstate) (ALERTS{alertname="`+oldServed+`"})`, "alertstate", map[string]float64{"pending": 1})
	return address
}
