package prometheus_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write rules.yml")

// generate returns the rules that a source like rules.tmpl.yml makes.
func generate(t *testing.T, source string) string {
	t.Helper()
	functions := template.FuncMap{"select": selector}
	parsed, err := template.New("rules.tmpl.yml").Delims("[[", "]]").Funcs(functions).Option("missingkey=error").Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder
	if err := parsed.Execute(&rules, nil); err != nil {
		t.Fatal(err)
	}
	return rules.String()
}

// selector returns the start of an alert's text: $s selects series whose labels in a list are those of the alert.
// vmalert before 1.130 prints labels that an alert lacks as <nil>, so they are read as empty.
func selector(list string) string {
	var matchers, values []string
	for label := range strings.SplitSeq(list, ", ") {
		matchers = append(matchers, label+"=%q")
		values = append(values, fmt.Sprintf(`(or $labels.%s "")`, label))
	}
	return fmt.Sprintf(">-\n            {{ $s := printf `%s` %s -}}", strings.Join(matchers, ","), strings.Join(values, " "))
}

// TestRulesAreGenerated writes rules.yml with -update.
func TestRulesAreGenerated(t *testing.T) {
	rules := generate(t, read(t, "rules.tmpl.yml"))
	if *update {
		if err := os.WriteFile("rules.yml", []byte(rules), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(rules, read(t, "rules.yml")); diff != "" {
		t.Errorf("rules.yml is outdated; run the test with -update (-rules.tmpl.yml +rules.yml):\n%s", diff)
	}
}
