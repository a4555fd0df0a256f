package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is the program where a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("MAIN_TEST_RUN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestSignals sends the program what terminals and service managers send. A hangup
// asks for a reload elsewhere; here it must not end the program.
func TestSignals(t *testing.T) {
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		program := exec.CommandContext(t.Context(), os.Args[0], "--demo", "--web.listen-address=127.0.0.1:0")
		program.Env = append(os.Environ(), "MAIN_TEST_RUN=1")
		log, err := program.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		for buffer := make([]byte, 4096); !strings.Contains(strings.ToLower(said.String()), "listening on"); {
			n, err := log.Read(buffer)
			if said.Write(buffer[:n]); err != nil {
				t.Fatalf("the program ended: %v\n%s", err, &said)
			}
		}
		for range 3 {
			_ = program.Process.Signal(syscall.SIGHUP)
			time.Sleep(10 * time.Millisecond) // two signals at once could be taken in any order
		}
		_ = program.Process.Signal(end)
		for buffer := make([]byte, 4096); ; {
			if _, err := log.Read(buffer); err != nil {
				break
			}
		}
		if err := program.Wait(); err != nil {
			t.Errorf("after three hangups and %v: %v, want a clean end", end, err)
		}
	}
}
