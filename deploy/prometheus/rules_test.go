// Package prometheus_test runs rules_test.yml in ways that promtool alone does not: with a second replica of every
// exporter, for every pair of statuses, beside neighbours, and against rules that are wrong. PROMTOOL names the promtool
// to use; .ci/rules.sh sets it.
package prometheus_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const demoClause = "unless on (cluster, namespace, job) "

// promtool runs it in a folder of its own with these files.
func promtool(t *testing.T, files map[string]string, arguments ...string) (output string, ok bool) {
	t.Helper()
	tool := os.Getenv("PROMTOOL")
	if tool == "" {
		t.Skip("PROMTOOL names no promtool; .ci/rules.sh runs this test")
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), tool, arguments...)
	command.Dir = dir
	text, err := command.CombinedOutput()
	return string(text), err == nil
}

// testRules tests rules by those tests whose name matches.
func testRules(t *testing.T, rules, tests, names string) (output string, ok bool) {
	t.Helper()
	return promtool(t, map[string]string{"rules.yml": rules, "rules_test.yml": tests}, "test", "rules", "--run", names, "rules_test.yml")
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is the text of an alert.
type block struct{ name, text string }

func alerts(t *testing.T) (rules string, blocks []block) {
	t.Helper()
	rules = read(t, "rules.yml")
	for _, m := range regexp.MustCompile(`(?m)^      - alert: (\S+)\n(?:        .*\n)+`).FindAllStringSubmatch(rules, -1) {
		blocks = append(blocks, block{m[1], m[0]})
	}
	if want := strings.Count(rules, "- alert:"); len(blocks) != want {
		t.Fatalf("%d alerts are understood, of %d", len(blocks), want)
	}
	return rules, blocks
}

// expression returns the part of an alert between its name and `for`.
func (b block) expression() string {
	_, after, _ := strings.Cut(b.text, "expr: |\n")
	before, _, _ := strings.Cut(after, "        for: ")
	return before
}

// TestDemoIsSpared: nobody is alerted by a simulator.
func TestDemoIsSpared(t *testing.T) {
	_, blocks := alerts(t)
	for _, b := range blocks {
		if !strings.Contains(b.expression(), demoClause) {
			t.Errorf("%s does not spare the demo", b.name)
		}
	}
}

// TestRestartsAreBridged: an alert about a job outlasts the minutes in which a process that was started again knows
// nothing, and AliyunCasDataStale, which takes over, fires before it ends.
func TestRestartsAreBridged(t *testing.T) {
	_, blocks := alerts(t)
	for _, b := range blocks {
		aboutJobs := strings.Contains(b.text, "/runbooks?job_id=") || b.name == "AliyunCasCertificateExpires"
		if aboutJobs && b.name != "AliyunCasDataStale" && !strings.Contains(b.text, "        keep_firing_for: 15m\n") {
			t.Errorf("%s ends with the series of a process", b.name)
		}
	}
}

// TestIdentityIsNormalised: what tells replicas, pods and releases apart is in no label of an alert.
func TestIdentityIsNormalised(t *testing.T) {
	rules := regexp.MustCompile(`(?m)^ *#.*$`).ReplaceAllString(read(t, "rules.yml"), "")
	known := strings.Fields("cluster namespace job instance account api_region job_id action reason code status since cloud_product region_id " +
		"cert_id cert_name common_name shard total_shards worker_id resource_domain instance_id listener_id port")
	for _, list := range regexp.MustCompile(`\b(?:by|on|without|ignoring|group_left|group_right) \(([^()]*)\)`).FindAllStringSubmatch(rules, -1) {
		for _, label := range strings.FieldsFunc(list[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(known, label) {
				t.Errorf("%q names %s, which not every target has", list[0], label)
			}
		}
	}
}

// replicated gives every exporter of the tests a second replica. What alerts say of instances is then another, and so
// are the sums of the last test.
func replicated(tests string) string {
	tests, _, _ = strings.Cut(tests, "  - name: recording rules\n")
	tests = regexp.MustCompile(`(?m)^    alert_rule_test:\n(?:      .*\n)+`).ReplaceAllString(tests, "")
	series := regexp.MustCompile(`(?m)^      - \{values: .*instance="[^"]*".*\n`)
	return series.ReplaceAllStringFunc(tests, func(line string) string {
		if strings.Contains(line, " 'probe_") { // the instance is what two probers see
			return line + regexp.MustCompile(`job="[^"]*"`).ReplaceAllString(line, `job="second",pod="2"`)
		}
		second := regexp.MustCompile(`(,pod="[^"]*"|,node="[^"]*")`).ReplaceAllString(line, "")
		return line + regexp.MustCompile(`instance="([^"]*)"`).ReplaceAllString(second, `instance="$1-2",pod="2",node="2"`)
	})
}

// TestReplicas: two exporters that see the same alert as one does.
func TestReplicas(t *testing.T) {
	if output, ok := testRules(t, read(t, "rules.yml"), replicated(read(t, "rules_test.yml")), ""); !ok {
		t.Error(output)
	}
}

// TestDocumentedQueriesParse checks what runbooks and the metrics reference tell people to paste.
func TestDocumentedQueriesParse(t *testing.T) {
	var rules strings.Builder
	rules.WriteString("groups: [{name: documented, rules: [\n")
	blocks := regexp.MustCompile("(?s)```promql\n(.*?)\n```")
	for _, path := range []string{"../../docs/runbooks.md", "../../docs/metrics.md"} {
		for _, query := range blocks.FindAllStringSubmatch(read(t, path), -1) {
			fmt.Fprintf(&rules, "{record: documented, expr: %q},\n", query[1])
		}
	}
	rules.WriteString("]}]\n")
	if output, ok := promtool(t, map[string]string{"documented.yml": rules.String()}, "check", "rules", "documented.yml"); !ok {
		t.Error(output)
	}
}
