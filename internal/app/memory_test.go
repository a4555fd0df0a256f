package app_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/proctest"
	"aliyun_cas_exporter/internal/simulator"
)

// TestPeakMemory serves answers without end, in several ways at once, and a job that
// claims a thousand million workers, to the built program, and reads from the kernel
// how much memory it had at most. The program collects garbage more often than Go
// does by default, unless GOGC asks for something else.
func TestPeakMemory(t *testing.T) {
	heavy(t)
	if runtime.GOOS != "linux" {
		t.Skip("the peak is read from /proc")
	}
	binary := filepath.Join(t.TempDir(), "exporter")
	if out, err := exec.Command("go", "build", "-o", binary, "aliyun_cas_exporter").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	faults := []string{"endless-body", "endless-rows", "endless-string", "oversized-body", "gzip-bomb", "deep-json", "total-huge"}
	for _, test := range []struct {
		name   string
		faults []string
		gogc   string // the variable
		want   string // what the program takes
	}{{"none", nil, "70", "70"}, {"all at once", faults, "", "40"}} {
		t.Run(test.name, func(t *testing.T) {
			sim := simulator.New(simulator.Options{})
			var ids []string
			for i, fault := range append([]string{""}, test.faults...) {
				id := int64(i + 1)
				ids = append(ids, fmt.Sprint(id))
				sim.PutJob(simulator.Job{ID: id, Status: "processing"}, []simulator.Worker{{ID: 1, Status: "error", CloudProduct: "SLB"}})
				if fault == "" {
					continue
				}
				if err := sim.Inject(fault, simulator.Match{JobID: id, Action: "ListWorkerResource"}); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("GOGC", test.gogc)
			peak, gogc := peakMemory(t, binary, sim, ids)
			if gogc != test.want {
				t.Errorf("go_gc_gogc_percent is %q, want %s", gogc, test.want)
			}
			t.Logf("%d MiB at most", peak>>20)
			if peak > 64<<20 {
				t.Errorf("want at most 64 MiB")
			}
		})
	}
}

// peakMemory runs the program until every job was read three times, and returns its
// largest resident size in bytes, and its go_gc_gogc_percent.
func peakMemory(t *testing.T, binary string, sim *simulator.Simulator, jobs []string) (bytes int, gogc string) {
	t.Helper()
	api := httptest.NewServer(sim)
	defer api.Close()
	environment(t, api.URL, map[string]string{
		"CAS_JOB_IDS": strings.Join(jobs, ","), "CAS_WEB_LISTEN_ADDRESS": anyPort, "CAS_POLL_INTERVAL": "1s",
	})
	program := proctest.Serve(t, exec.Command(binary))
	defer program.Kill()
	deadline := time.Now().Add(2 * time.Minute)
	for sim.Calls()["ListWorkerResource"] <= 3*len(jobs) {
		if time.Now().After(deadline) {
			t.Fatal("the program does not poll")
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", program.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	metrics, _ := get(t.Context(), "http://"+program.Address+"/metrics")
	_, after, _ = strings.Cut(metrics, "\ngo_gc_gogc_percent ")
	gogc, _, _ = strings.Cut(after, "\n")
	return kib << 10, gogc
}
