// Package prometheus_test generates rules.yml and runs rules_test.yml in ways that promtool alone does not: with a second
// replica of every exporter, for every pair of statuses, beside neighbours, and against rules that are wrong. PROMTOOL
// names the promtool to use; .ci/rules.sh sets it.
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
	"time"

	"go.yaml.in/yaml/v2"
)

// needsPromtool returns the path of promtool, or skips the test.
func needsPromtool(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PROMTOOL")
	if path == "" {
		t.Skip("PROMTOOL names no promtool; .ci/rules.sh runs this test")
	}
	return path
}

// promtool runs it in a folder of its own with these files.
func promtool(t *testing.T, files map[string]string, arguments ...string) (output string, ok bool) {
	t.Helper()
	tool, dir := needsPromtool(t), t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), tool, arguments...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOGC=400") // it lives for seconds
	text, err := command.CombinedOutput()
	return string(text), err == nil
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rule is a rule of rules.yml.
type rule struct {
	Record        string            `yaml:"record,omitempty"`
	Alert         string            `yaml:"alert,omitempty"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for,omitempty"`
	KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`

	group string
}

func (r rule) name() string { return r.Record + r.Alert }

// parse returns the rules of a file.
func parse(t *testing.T, text string) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	if err := yaml.UnmarshalStrict([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	var rules []rule
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			r.group = g.Name
			rules = append(rules, r)
		}
	}
	if len(rules) < 40 {
		t.Fatalf("%d rules", len(rules))
	}
	return rules
}

func shipped(t *testing.T) []rule {
	t.Helper()
	return parse(t, read(t, "rules.yml"))
}

func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(shipped(t), func(r rule) bool { return r.Alert == "" })
}

// names returns the metrics that an expression or a text reads.
func names(text string) []string {
	return regexp.MustCompile(`\b(?:\w+:)?aliyun_cas_\w+(?::\w+)?|\bup\b|\bprobe_\w+`).FindAllString(text, -1)
}

// reads returns the metrics that a rule reads.
func (r rule) reads() []string {
	all := names(r.Expr)
	for _, text := range r.Annotations {
		all = append(all, names(text)...)
	}
	return all
}

// test is a test of rules_test.yml.
type test struct {
	Name        string      `yaml:"name"`
	Interval    string      `yaml:"interval"`
	InputSeries []series    `yaml:"input_series"`
	Alerts      []alertTest `yaml:"alert_rule_test,omitempty"`
	Expressions []exprTest  `yaml:"promql_expr_test,omitempty"`
}

type series struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type alertTest struct {
	EvalTime string `yaml:"eval_time"`
	Name     string `yaml:"alertname"`
	Alerts   []struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations,omitempty"`
	} `yaml:"exp_alerts,omitempty"`
}

type exprTest struct {
	Expr     string   `yaml:"expr"`
	EvalTime string   `yaml:"eval_time"`
	Samples  []sample `yaml:"exp_samples,omitempty"`
}

type sample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

// tests returns those of rules_test.yml.
func tests(t *testing.T) []test {
	t.Helper()
	var file struct {
		RuleFiles []string `yaml:"rule_files"`
		Interval  string   `yaml:"evaluation_interval"`
		Tests     []test
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, "rules_test.yml")), &file); err != nil {
		t.Fatal(err)
	}
	return file.Tests
}

// cut returns what a test can find: the rules that its series reach, because evaluating the others takes most of
// promtool's time, and the series that these read.
func (c test) cut(rules []rule) (test, []rule) {
	name := func(s series) string { name, _, _ := strings.Cut(s.Series, "{"); return name }
	there, read := map[string]bool{}, map[string]bool{}
	for _, s := range c.InputSeries {
		there[name(s)] = true
	}
	reached := map[string]bool{}
	for before := -1; before != len(reached); {
		before = len(reached)
		for _, r := range rules {
			if slices.ContainsFunc(names(r.Expr), func(name string) bool { return there[name] }) {
				reached[r.name()], there[r.name()] = true, true
				for _, name := range r.reads() {
					read[name] = true
				}
			}
		}
	}
	c.InputSeries = slices.DeleteFunc(slices.Clone(c.InputSeries), func(s series) bool { return !read[name(s)] })
	return c, slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return !reached[r.name()] })
}

// textless returns rules without their texts, which take a third of the time.
func textless(rules []rule) []rule {
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].Annotations = nil
	}
	return rules
}

// check runs tests of rules.
func check(t *testing.T, rules []rule, tests ...test) (output string, ok bool) {
	t.Helper()
	files, arguments := map[string]string{}, []string{"test", "rules"}
	for i, c := range tests {
		type group struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		}
		var groups []group
		var order []string // the file's: with samples as old as the look-back, a group that reads another must come later
		short, reached := c.cut(rules)
		for _, r := range reached {
			if n := len(groups); n == 0 || groups[n-1].Name != r.group {
				groups, order = append(groups, group{Name: r.group}), append(order, r.group)
			}
			groups[len(groups)-1].Rules = append(groups[len(groups)-1].Rules, r)
		}
		ruleFile, testFile := fmt.Sprintf("rules%d.yml", i), fmt.Sprintf("test%d.yml", i)
		for name, content := range map[string]any{
			ruleFile: map[string]any{"groups": groups},
			testFile: map[string]any{"rule_files": []string{ruleFile}, "evaluation_interval": c.Interval, "group_eval_order": order, "tests": []test{short}},
		} {
			text, err := yaml.Marshal(content)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(text)
		}
		arguments = append(arguments, testFile)
	}
	return promtool(t, files, arguments...)
}

// checkAll runs tests side by side, some in each process, because promtool takes a while to start.
func checkAll(t *testing.T, rules []rule, tests []test) {
	t.Helper()
	for some := range slices.Chunk(tests, 6) {
		t.Run("from "+some[0].Name, func(t *testing.T) {
			t.Parallel()
			if output, ok := check(t, rules, some...); !ok {
				t.Error(output)
			}
		})
	}
}

// TestRules runs rules_test.yml as `promtool test rules` does, in less time.
func TestRules(t *testing.T) {
	needsPromtool(t)
	all, rules := tests(t), shipped(t)
	run := map[string]bool{}
	for _, c := range all {
		_, reached := c.cut(rules)
		for _, r := range reached {
			run[r.name()] = true
		}
	}
	for _, r := range rules {
		if !run[r.name()] {
			t.Errorf("no test has a series that %s reads", r.name())
		}
	}
	checkAll(t, rules, all)
}

// TestRestartsAreBridged: an alert about a job outlasts the minutes in which a process that was started again knows
// nothing, and AliyunCasDataStale, which takes over, fires before it ends.
func TestRestartsAreBridged(t *testing.T) {
	for _, r := range alerts(t) {
		aboutJobs := strings.Contains(r.Annotations["runbook_url"], "?job_id=") || r.Alert == "AliyunCasCertificateExpires"
		if aboutJobs && r.Alert != "AliyunCasDataStale" && r.keepsFiring(t) < 15*time.Minute {
			t.Errorf("%s ends with the series of a process", r.Alert)
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
func replicated(tests []test) []test {
	tests = slices.DeleteFunc(slices.Clone(tests), func(c test) bool { return c.Name == "recording rules" })
	for i, c := range tests {
		c.Alerts = nil
		for _, s := range slices.Clone(c.InputSeries) {
			if !strings.Contains(s.Series, `instance="`) {
				continue
			}
			s.Series = regexp.MustCompile(`(,pod="[^"]*"|,node="[^"]*")`).ReplaceAllString(s.Series, "")
			if strings.HasPrefix(s.Series, "probe_") { // the instance is what two probers see
				s.Series = regexp.MustCompile(`job="[^"]*"`).ReplaceAllString(s.Series, `job="second",pod="2"`)
			} else {
				s.Series = regexp.MustCompile(`instance="([^"]*)"`).ReplaceAllString(s.Series, `instance="$1-2",pod="2",node="2"`)
			}
			c.InputSeries = append(slices.Clip(c.InputSeries), s)
		}
		tests[i] = c
	}
	return tests
}

// TestReplicas: two exporters that see the same alert as one does.
func TestReplicas(t *testing.T) {
	needsPromtool(t)
	checkAll(t, textless(shipped(t)), replicated(tests(t)))
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
