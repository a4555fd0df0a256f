package grafana_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/proctest"
)

// patience bounds the wait for data; it is long only where the tests fail.
const patience = 90 * time.Second

// prometheus is a running Prometheus.
type prometheus struct{ address string }

// sample is a series of an answer with its values.
type sample struct {
	Metric map[string]string
	Value  [2]any
	Values [][2]any
}

// scrape names targets and what else their scrape job says, in Prometheus' words.
type scrape struct {
	job     string
	targets []string
	labels  string // of the targets
	more    string
}

// prometheusBinary is the Prometheus that the environment names.
func prometheusBinary(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("PROMETHEUS")
	if binary == "" {
		t.Skip("PROMETHEUS names no prometheus binary: run `make dashboards`")
	}
	return binary
}

// startPrometheus runs Prometheus, with the project's rules, until the test ends.
func startPrometheus(t *testing.T, scrapes ...scrape) prometheus {
	t.Helper()
	binary := prometheusBinary(t)
	rules, err := os.ReadFile("../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules = regexp.MustCompile(`(?m)^( +for:) .+$`).ReplaceAll(rules, []byte("$1 1s")) // alerts shall fire while the test runs
	var config strings.Builder
	config.WriteString("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\nscrape_configs:\n")
	for i, s := range scrapes {
		if i == 0 || s.job != scrapes[i-1].job {
			fmt.Fprintf(&config, "  - job_name: %s\n%s    static_configs:\n", s.job, s.more)
		}
		fmt.Fprintf(&config, "      - {targets: [%s], labels: {%s}}\n", strings.Join(s.targets, ", "), s.labels)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rules.yml"), rules, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := prometheus{proctest.Serve(t, exec.Command(binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")).Address}
	eventually(t, "Prometheus is ready", func() error {
		resp, err := http.Get("http://" + p.address + "/-/ready")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
	return p
}

// host is what a prober finds: the host's job and its certificate, and when the one expires
// that it serves. The zero time is that of a host that does not answer.
type host struct {
	account   string
	job, cert int64
	served    time.Time
}

// startProber answers as blackbox_exporter would about these hosts, until the test ends.
func startProber(t *testing.T, hosts ...host) (address string) {
	t.Helper()
	var text strings.Builder
	for i, h := range hosts {
		labels := fmt.Sprintf(`{account=%q,job_id="%d",cert_id="%d",cert_name="www",cloud_product="SLB",region_id="cn-hangzhou",instance="www-%d.example.com:443"}`, h.account, h.job, h.cert, i)
		success := 0
		if !h.served.IsZero() {
			success = 1
			fmt.Fprintf(&text, "probe_ssl_last_chain_expiry_timestamp_seconds%s %d\n", labels, h.served.Unix())
		}
		fmt.Fprintf(&text, "probe_success%s %d\n", labels, success)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(text.String()))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// probing is a scrape of such a prober.
func probing(address, labels string) scrape {
	return scrape{job: "served", targets: []string{address}, labels: labels, more: "    honor_labels: true\n"}
}

// get asks Prometheus' API.
func (p prometheus) get(path string, into any, parameters ...string) error {
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		values.Add(parameters[i], parameters[i+1])
	}
	resp, err := http.PostForm("http://"+p.address+"/api/v1/"+path, values)
	if resp != nil && resp.StatusCode == http.StatusMethodNotAllowed {
		_ = resp.Body.Close()
		resp, err = http.Get("http://" + p.address + "/api/v1/" + path + "?" + values.Encode())
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct {
		Error string
		Data  any
	}{Data: into}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return fmt.Errorf("prometheus: %s", answer.Error)
	}
	return nil
}

// query evaluates a query at an instant.
func (p prometheus) query(expr string, at time.Time) ([]sample, error) {
	var data struct{ Result []sample }
	err := p.get("query", &data, "query", expr, "time", seconds(at))
	return data.Result, err
}

// queryRange evaluates a query over the last two minutes.
func (p prometheus) queryRange(expr string, until time.Time) ([]sample, error) {
	var data struct{ Result []sample }
	err := p.get("query_range", &data, "query", expr, "start", seconds(until.Add(-2*time.Minute)), "end", seconds(until), "step", "5")
	return data.Result, err
}

func seconds(at time.Time) string { return fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000) }

// buildExporter builds the exporter of this checkout.
func buildExporter(t *testing.T) string {
	t.Helper()
	prometheusBinary(t) // without which there is nothing to build for
	binary := filepath.Join(t.TempDir(), "aliyun_cas_exporter")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary,
		"-ldflags", "-X github.com/prometheus/common/version.Version=test -X github.com/prometheus/common/version.Revision=test", ".")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the exporter: %v\n%s", err, out)
	}
	return binary
}

// startExporter runs an exporter with these settings and returns its address.
func startExporter(t *testing.T, binary string, settings map[string]string, args ...string) string {
	t.Helper()
	env := []string{"HOME=" + t.TempDir(), "CAS_WEB_LISTEN_ADDRESS=127.0.0.1:0", "CAS_POLL_INTERVAL=2s", "CAS_MAX_ATTEMPTS=2"}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = env
	return proctest.Serve(t, cmd).Address
}

// eventually tries until it works.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: not within %v: %v", what, patience, err)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}
