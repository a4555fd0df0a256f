// Package prometheus_test runs rules_test.yml in ways that promtool alone does not: with a second replica of every
// exporter, and against rules that are wrong. PROMTOOL names the promtool to use; .ci/rules.sh sets it.
package prometheus_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
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
// nothing, except for the alert that says so.
func TestRestartsAreBridged(t *testing.T) {
	_, blocks := alerts(t)
	bridged := regexp.MustCompile(`last_over_time\(aliyun_cas_deployment_[^)]*\[10m\]\)`)
	for _, b := range blocks {
		if b.name == "AliyunCasDataStale" || !strings.Contains(b.text, "/deployDetail/") {
			continue
		}
		if strings.Contains(bridged.ReplaceAllString(b.expression(), ""), "aliyun_cas_deployment_") {
			t.Errorf("%s ends with the series of a process", b.name)
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

// TestDocumentedQueriesParse holds what runbooks and the metrics reference tell people to paste.
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

// mutant is an alert with one mistake.
type mutant struct{ what, text string }

func (b block) mutants() []mutant {
	all := []mutant{{"without for", regexp.MustCompile(`(?m)^        for: .*\n`).ReplaceAllString(b.text, "")}}
	expression := b.expression()
	change := func(from, to string) {
		for i, at := range regexp.MustCompile(regexp.QuoteMeta(from)).FindAllStringIndex(expression, -1) {
			wrong := expression[:at[0]] + to + expression[at[1]:]
			all = append(all, mutant{fmt.Sprintf("%q %d is %q", from, i+1, to), strings.Replace(b.text, expression, wrong, 1)})
		}
	}
	change(" > ", " < ")
	change(" > ", " >= ")
	change(" < ", " > ")
	change(" < ", " <= ")
	change(" == ", " != ")
	change("(instance, ", "(")
	return all
}

// TestRulesAreHeld: of rules with one mistake, rules_test.yml accepts none.
func TestRulesAreHeld(t *testing.T) {
	rules, blocks := alerts(t)
	tests := read(t, "rules_test.yml")
	twice := replicated(tests)
	var killed, made atomic.Int64
	t.Run("mutants", func(t *testing.T) {
		for _, b := range blocks {
			for _, m := range b.mutants() {
				t.Run(b.name+" "+m.what, func(t *testing.T) {
					t.Parallel()
					made.Add(1)
					wrong, names := strings.Replace(rules, b.text, m.text, 1), "^"+b.name+"$"
					if _, ok := testRules(t, wrong, tests, names); ok {
						if _, ok = testRules(t, wrong, twice, names); ok {
							t.Error("no test fails")
							return
						}
					}
					killed.Add(1)
				})
			}
		}
	})
	t.Logf("%d alerts, %d of %d mutants killed", len(blocks), killed.Load(), made.Load())
}
