package collector

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v2"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

// rule is a rule of deploy/prometheus/rules.yml.
type rule struct {
	Record, Alert string
	Expr, For     string
	Labels        map[string]string
	Annotations   map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	text, err := os.ReadFile("../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// TestConditionsAreTheAlerts: every alert about jobs is a condition of the same severity, and every condition an alert.
func TestConditionsAreTheAlerts(t *testing.T) {
	var want, got []string
	for _, r := range rules(t) {
		// What is said of a whole account, or of the exporter, has no job in its runbook's link. A certificate has several.
		// What others probe the exporter does not see.
		if strings.Contains(r.Expr, "probe") || strings.Contains(r.Expr, ":aliyun_cas_served_") {
			continue
		}
		if strings.Contains(r.Annotations["runbook_url"], "job_id=") || r.Alert == "AliyunCasCertificateExpires" {
			want = append(want, r.Alert+" "+r.Labels["severity"])
		}
	}
	severities := []Severity{Critical, Warning, Info}
	known := conditions()
	for _, c := range known {
		got = append(got, c.alert+" "+string(c.severity))
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := diff.Diff(want, got); d != "" {
		t.Errorf("conditions (-rules +conditions):\n%s", d)
	}
	if !slices.IsSortedFunc(known, func(a, b condition) int {
		return cmp.Compare(slices.Index(severities, a.severity), slices.Index(severities, b.severity))
	}) || known[0].alert != "AliyunCasDeploymentRollbackFailed" {
		t.Error("the worst does not come first")
	}
}

// TestThresholdsAreTheRules finds each threshold where the rules have it.
func TestThresholdsAreTheRules(t *testing.T) {
	seconds := func(d time.Duration) int { return int(d.Seconds()) }
	days := func(d time.Duration) string { return fmt.Sprintf("%d * 86400", int(d.Hours()/24)) }
	want := map[string][]string{
		"product:aliyun_cas_deployment_unmoved_seconds:max": {fmt.Sprintf("> %d", seconds(stuckAfter))},
		"AliyunCasDeploymentJobStalled warning":             {fmt.Sprintf("offset %dh", int(stalledAfter.Hours()))},
		"AliyunCasDeploymentJobNeverStarted warning": {
			fmt.Sprintf(`since="change"} > %d`, seconds(unreleasedAfter)), fmt.Sprintf(`since="schedule"} > %d`, seconds(lateAfter)),
		},
		"AliyunCasDeploymentJobOverdue warning":    {fmt.Sprintf(") > %d", seconds(lateAfter))},
		"AliyunCasDeploymentWorkersFailed warning": {"< " + days(expiresNow)},
		"AliyunCasCertificateExpires critical":     {"< " + days(expiresNow)},
		"AliyunCasCertificateExpires warning":      {">= " + days(expiresNow), "< " + days(expiresSoon)},
		"AliyunCasDataStale warning":               {fmt.Sprintf("%d * account:aliyun_cas_poll_interval_seconds:max", staleIntervals)},
		"AliyunCasWorkerCountDisagrees info":       {fmt.Sprintf("for %dh", int(disagreesAfter.Hours()))},
	}
	// A number in a rule that is none of these has no constant here.
	number := regexp.MustCompile(`(?:[<>]=?|offset|for) *(\d+ \* 86400|[1-9]\d*\w*)`)
	for _, r := range rules(t) {
		name := cmp.Or(r.Record, r.Alert+" "+r.Labels["severity"])
		text := r.Expr
		if strings.Contains(name, "WorkerCountDisagrees") {
			text = "for " + r.For
		}
		for _, w := range want[name] {
			if !strings.Contains(text, w) {
				t.Errorf("%s has no %q:\n%s", name, w, text)
			}
		}
		if isCondition(r) && len(number.FindAllString(text, -1)) != len(want[name])-strings.Count(strings.Join(want[name], ""), "account:") {
			t.Errorf("%s has the numbers %q, known are %q", name, number.FindAllString(text, -1), want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("the rules have no %v", slices.Collect(maps.Keys(want)))
	}
}

func isCondition(r rule) bool {
	return slices.ContainsFunc(conditions(), func(c condition) bool { return c.alert == r.Alert })
}

// TestFiltersHideFailures: what is said of a job's workers is said of those that are read.
func TestFiltersHideFailures(t *testing.T) {
	now := time.Now()
	for filtered, want := range map[bool]string{
		false: "ended in error, but none of its workers failed", true: "ended in error, but none of the workers that are read failed",
	} {
		v := &schedule.View{
			Polled: true, Up: true, Success: now, Snapshot: &sweep.Snapshot{Swept: now, Filtered: filtered},
			Record: schedule.Dated[*cas.Job]{Value: &cas.Job{Status: "error"}, Read: now, At: now},
		}
		got := Troubles([]*schedule.View{v}, &schedule.Options{PollInterval: time.Minute, MaxStaleness: time.Hour}, now)[0]
		if len(got) != 1 || got[0].Text != want {
			t.Errorf("filtered %v: got %+v, want %q", filtered, got, want)
		}
	}
}
