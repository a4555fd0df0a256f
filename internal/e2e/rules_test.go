//go:build e2e

package e2e_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
)

// shrink makes a second of every minute in a rule file: in for, keep_firing_for
// and interval, and in the ranges and offsets of expressions. Less than a second
// becomes one.
func shrink(rules string) string {
	duration := regexp.MustCompile(`(?m)(^\s+(?:for|keep_firing_for|interval): |\[|:|offset )((?:\d+[smhdw])+)\b`)
	return duration.ReplaceAllStringFunc(rules, func(match string) string {
		m := duration.FindStringSubmatch(match)
		d, err := model.ParseDuration(m[2])
		if err != nil {
			return match
		}
		return m[1] + model.Duration(max(time.Duration(d)/60, time.Second).Truncate(time.Second)).String()
	})
}

func TestShrink(t *testing.T) {
	got := shrink(`
groups:
  - name: five minutes
    interval: 1m
    rules:
      - alert: ForNow
        expr: rate(x[5m]) > 90 and max_over_time(x[1h30m:1m] offset 10m) > 5m
        for: 10m
        keep_firing_for: 30s
`)
	want := `
groups:
  - name: five minutes
    interval: 1s
    rules:
      - alert: ForNow
        expr: rate(x[5s]) > 90 and max_over_time(x[1m30s:1s] offset 10s) > 5m
        for: 10s
        keep_firing_for: 1s
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
