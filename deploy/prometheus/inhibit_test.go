package prometheus_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v2"
)

// TestCausesOutliveConsequences: when a cause is repaired, what it inhibits ends first. Otherwise Alertmanager, which
// learns of both ends one after the other, sends the consequence in between, as if it had just begun. Groups of rules are
// evaluated at different seconds of a minute, so that one alert can end two evaluations later than another.
func TestCausesOutliveConsequences(t *testing.T) {
	var file struct {
		Rules []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
		} `yaml:"inhibit_rules"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "alertmanager.yml")), &file); err != nil {
		t.Fatal(err)
	}
	all := alerts(t)
	matching := func(matchers []string) (found []rule) {
		for _, r := range all {
			if r.matches(t, matchers) {
				found = append(found, r)
			}
		}
		if len(found) == 0 {
			t.Errorf("no alert is meant by %s", strings.Join(matchers, ", "))
		}
		return found
	}
	for _, r := range file.Rules {
		for _, cause := range matching(r.Source) {
			for _, consequence := range matching(r.Target) {
				if cause.keepsFiring(t) < consequence.keepsFiring(t)+2*time.Minute {
					t.Errorf("%s inhibits %s and must keep firing for two minutes longer: %q, %q", cause.Alert, consequence.Alert, cause.KeepFiringFor, consequence.KeepFiringFor)
				}
			}
		}
	}
}

// matches tells whether an alert's name and severity fit the matchers of Alertmanager. Other labels are not known before
// it fires.
func (r rule) matches(t *testing.T, matchers []string) bool {
	t.Helper()
	known := map[string]string{"alertname": r.Alert, "severity": r.Labels["severity"]}
	for _, m := range matchers {
		parts := regexp.MustCompile(`^(\w+) (=~?) "(.*)"$`).FindStringSubmatch(m)
		if parts == nil {
			t.Fatalf("not a matcher: %s", m)
		}
		value, ok := known[parts[1]]
		if parts[2] == "=" {
			parts[3] = regexp.QuoteMeta(parts[3])
		}
		if ok && !regexp.MustCompile("^(?:"+parts[3]+")$").MatchString(value) {
			return false
		}
	}
	return true
}

func (r rule) keepsFiring(t *testing.T) time.Duration {
	t.Helper()
	if r.KeepFiringFor == "" {
		return 0
	}
	d, err := model.ParseDuration(r.KeepFiringFor)
	if err != nil {
		t.Fatalf("%s: %v", r.Alert, err)
	}
	return time.Duration(d)
}
