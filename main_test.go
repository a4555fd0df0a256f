package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/proctest"
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
		command := exec.Command(os.Args[0], "--demo", "--web.listen-address=127.0.0.1:0")
		command.Env = append(os.Environ(), "MAIN_TEST_RUN=1")
		program := proctest.Serve(t, command)
		for range 3 {
			_ = program.Process.Signal(syscall.SIGHUP)
			time.Sleep(10 * time.Millisecond) // two signals at once could be taken in any order
		}
		_ = program.Process.Signal(end)
		<-program.Ended
		if status := program.ProcessState.ExitCode(); status != 0 {
			t.Errorf("after three hangups and %v: exit status %d, want 0", end, status)
		}
	}
}

// TestNothingUnaskedIsLogged lets a server send more than an answer on connections that
// are kept, as proxies do when they give up: net/http logs that by itself.
func TestNothingUnaskedIsLogged(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var sent atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					sent.Add(1)
					fmt.Fprint(conn, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\nHTTP/1.1 407 CANARY\r\n\r\n")
				}
			}()
		}
	}()
	program := exec.CommandContext(t.Context(), os.Args[0], "--once")
	program.Env = []string{
		"MAIN_TEST_RUN=1", "CAS_ENDPOINT=http://" + listener.Addr().String(), "CAS_JOB_IDS=1", "ALIBABA_CLOUD_ACCESS_KEY_ID=LTAItest",
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET=LTAIsecret", "CAS_LOG_LEVEL=debug", "CAS_MAX_ATTEMPTS=2", "CAS_REQUESTS_PER_SECOND=20",
	}
	var log bytes.Buffer
	program.Stderr = &log
	_ = program.Run()
	if strings.Contains(log.String(), "CANARY") || strings.Contains(log.String(), "Unsolicited") || sent.Load() == 0 {
		t.Errorf("%d answers were sent unasked; the log is\n%s", sent.Load(), &log)
	}
}
