package prometheus_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// mutant is rules.tmpl.yml with one mistake. A list of labels is written once, so forgetting a label is one mistake for
// all expressions that use the list; in one expression, the mistake is to use another list.
type mutant struct {
	what   string // its rule and its mistake
	source string
}

// changes are mistakes in a line: what the first group matches, or all without one, becomes the other.
func changes(inExpression bool) [][2]string {
	if !inExpression {
		return [][2]string{{`^ +for: .*`, ""}, {`^ +keep_firing_for: .*`, ""}, {`^\[\[- \$\w+ := .*?"(\w+, )`, ""}, {`^\[\[- \$\w+ := .*?(, \w+)`, ""}}
	}
	return [][2]string{
		{" > ", " < "},
		{" > ", " >= "},
		{" < ", " > "},
		{" < ", " <= "},
		{" >= ", " > "},
		{" == ", " != "},
		{`\$group`, "$job"},
		{`\$job`, "$account"},
		{`\$account`, "$exporter"},
		{` *\[\[\$unlessDemo\]\]`, ""},
		{` *\[\[\$andProcessing\]\]`, ""},
		{`\]\](, \w+)`, ""},
		{`\]\], \w+(, \w+)`, ""},
		{`\]\], \w+, \w+(, \w+)`, ""},
	}
}

func mutants(source string) []mutant {
	var all []mutant
	lines := strings.Split(source, "\n")
	expression, rule := false, "lists"
	for n, line := range lines {
		if m := regexp.MustCompile(`^      - (?:alert|record): (\S+)`).FindStringSubmatch(line); m != nil {
			rule = m[1]
		}
		switch {
		case strings.HasPrefix(line, "        expr:"):
			expression = true
		case !strings.HasPrefix(line, "          "):
			expression = false
		}
		for _, c := range changes(expression) {
			for _, at := range regexp.MustCompile(c[0]).FindAllStringSubmatchIndex(line, -1) {
				at = at[len(at)-2:]
				wrong := slices.Clone(lines)
				wrong[n] = line[:at[0]] + c[1] + line[at[1]:]
				all = append(all, mutant{fmt.Sprintf("%s: %q is %q", rule, line[at[0]:at[1]], c[1]), strings.Join(wrong, "\n")})
			}
		}
	}
	return all
}

// about returns the rules that a mistake in some of them concerns: these, all that read them, and what these read. Only
// the first two can change.
func about(rules []rule, wrong map[string]bool) (kept []rule, changed map[string]bool) {
	changed, needed := maps.Clone(wrong), map[string]bool{}
	for before := -1; before != len(changed)+len(needed); {
		before = len(changed) + len(needed)
		for _, r := range rules {
			if slices.ContainsFunc(r.reads(), func(name string) bool { return changed[name] }) {
				changed[r.name()] = true
			}
			if changed[r.name()] || needed[r.name()] {
				needed[r.name()] = true
				for _, name := range r.reads() {
					needed[name] = true
				}
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return !needed[r.name()] }), changed
}

// of returns what a test says about some rules.
func (c test) of(rules map[string]bool) test {
	c.Alerts = slices.DeleteFunc(slices.Clone(c.Alerts), func(a alertTest) bool { return !rules[a.Name] })
	var kept []exprTest
	for _, e := range c.Expressions {
		if strings.Contains(e.Expr, "by (alertname") {
			e.Samples = slices.DeleteFunc(slices.Clone(e.Samples), func(s sample) bool {
				return !rules[regexp.MustCompile(`alertname="(\w+)"`).FindStringSubmatch(s.Labels)[1]]
			})
			kept = append(kept, e)
		} else if rules[e.Expr] {
			kept = append(kept, e)
		}
	}
	c.Expressions = kept
	return c
}

// equivalent are mistakes that change no alert, and why.
func equivalent() map[string]string {
	return map[string]string{
		`product:aliyun_cas_deployment_error_workers:max: " > " is " >= "`: "zeros are dropped to save time; those who read the record add them up or compare again",
	}
}

// TestRulesAreHeld: of rules with one mistake, the tests accept none. Each mutant is tested with the rules alone that it
// concerns: first without texts, and first by the tests that find most mistakes.
func TestRulesAreHeld(t *testing.T) {
	needsPromtool(t)
	right, all, wanted := shipped(t), tests(t), equivalent()
	var unspoken []test
	for _, c := range all {
		c.Alerts = nil
		unspoken = append(unspoken, c)
	}
	twice := replicated(all)
	var killed, made atomic.Int64
	t.Run("mutants", func(t *testing.T) {
		for _, m := range mutants(read(t, "rules.tmpl.yml")) {
			if _, ok := wanted[m.what]; ok {
				delete(wanted, m.what)
				continue
			}
			t.Run(m.what, func(t *testing.T) {
				t.Parallel()
				made.Add(1)
				rules, wrong := parse(t, generate(t, m.source)), map[string]bool{}
				for i, r := range rules {
					if r.Expr != right[i].Expr || r.For != right[i].For || r.KeepFiringFor != right[i].KeepFiringFor {
						wrong[r.name()] = true
					}
				}
				if len(wrong) == 0 {
					t.Fatal("nothing changes")
				}
				own := func(c test) bool { return wrong[c.Name] || c.Name == "two of everything" }
				for _, stage := range []struct {
					rules []rule
					tests []test
				}{
					{textless(rules), []test{neighbourTest(), demoTest()}},
					{textless(rules), append(filter(unspoken, own), pairsTest(covers()))},
					{textless(rules), slices.Concat(unspoken, twice)},
					{rules, all},
				} {
					rules, changed := about(stage.rules, wrong)
					var tests []test
					for _, c := range stage.tests {
						if _, reached := c.cut(rules); len(reached) > 0 {
							tests = append(tests, c.of(changed))
						}
					}
					if len(tests) == 0 {
						continue
					}
					if _, ok := check(t, rules, tests...); !ok {
						killed.Add(1)
						return
					}
				}
				t.Errorf("no test fails: %s", m.what)
			})
		}
	})
	for what := range wanted {
		t.Errorf("no mistake is %s", what)
	}
	t.Logf("%d rules, %d of %d mutants killed", len(right), killed.Load(), made.Load())
}

func filter(tests []test, which func(test) bool) []test {
	return slices.DeleteFunc(slices.Clone(tests), func(c test) bool { return !which(c) })
}
