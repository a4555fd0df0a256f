// Package document lets tests hold what documents say against the code: the part
// of a document between two marks is generated, and a test fails when it is not
// what the code would generate.
//
// It is for tests, and refuses to touch anything outside the marks.
package document

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Hold fails the test unless the file at path has text between the marks
// "<!-- mark: begin ... -->" and "<!-- mark: end -->". With update it puts it there.
func Hold(tb testing.TB, update bool, path, mark, text string) {
	tb.Helper()
	file, err := os.ReadFile(path) //nolint:gosec // the test names it
	if err != nil {
		tb.Fatal(err)
	}
	has := string(file)
	between := regexp.MustCompile(`(?s)(<!-- ` + mark + `: begin [^\n]*-->\n).*?(<!-- ` + mark + `: end -->)`)
	parts := between.FindStringSubmatchIndex(has)
	if parts == nil {
		tb.Fatalf("%s has no part marked %q", path, mark)
	}
	want := has[:parts[3]] + text + has[parts[4]:]
	switch {
	case has == want:
	case !update:
		tb.Errorf("%s does not hold what is true; run the test with -update:\n%s", path, cmp.Diff(has, want))
	default:
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil { //nolint:gosec // as above
			tb.Fatal(err)
		}
	}
}
