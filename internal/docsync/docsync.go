// Package docsync keeps generated sections of documents in step with the code: a
// test generates the text between two marks and fails when the document has
// another one.
//
// It is for tests, and refuses to touch anything outside the marks.
package docsync

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Check fails the test unless the file at path has text between the marks
// "<!-- mark: begin ... -->" and "<!-- mark: end -->". With update it writes the
// text there instead.
func Check(tb testing.TB, update bool, path, mark, text string) {
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
		tb.Errorf("%s is outdated; run the test with -update:\n%s", path, cmp.Diff(has, want))
	default:
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil { //nolint:gosec // as above
			tb.Fatal(err)
		}
	}
}
