package chart_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestRules checks that the PrometheusRule is the rules' own file with the
// addresses replaced, and good in Prometheus' eyes.
func TestRules(t *testing.T) {
	for variant, addresses := range map[string][]string{
		"tls":        {"http://localhost:10077", "https://cas-aliyun-cas-exporter.monitoring.svc:10077"},
		"everything": {"http://localhost:10077", "https://cas.example.com", "https://yundun.console.aliyun.com", "https://yundun.console.alibabacloud.com"},
	} {
		text := strings.NewReplacer(addresses...).Replace(read(t, root+"/deploy/prometheus/rules.yml"))
		if variant == "everything" {
			text = without(t, text, "AliyunCasWorkerCountDisagrees")
		}
		var want monitoringv1.PrometheusRuleSpec
		if err := yaml.UnmarshalStrict([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		got := one[*monitoringv1.PrometheusRule](t, render(t, variant)).Spec
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: rules (-deploy/prometheus/rules.yml +chart):\n%s", variant, diff)
		}
		spec, err := yaml.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{"localhost", "10077//", ".com//"} {
			if strings.Contains(string(spec), address) {
				t.Errorf("%s: %s is left in the rules", variant, address)
			}
		}
		file := filepath.Join(t.TempDir(), "rules.yml")
		if err := os.WriteFile(file, spec, 0o600); err != nil {
			t.Fatal(err)
		}
		if stdout, stderr, err := run(t, "promtool", "check", "rules", "--lint=all", "--lint-fatal", file); err != nil {
			t.Errorf("%s: %v\n%s%s", variant, err, stdout, stderr)
		}
	}
}

// without takes an alert out of a rules file.
func without(t *testing.T, text, alert string) string {
	t.Helper()
	rule := regexp.MustCompile(`(?m)^      - alert: ` + alert + `\n(?:        .*\n|\n)*`)
	if !rule.MatchString(text) {
		t.Fatalf("there is no alert %s", alert)
	}
	return rule.ReplaceAllString(text, "")
}

// TestDashboards checks that each dashboard is installed as it is, for a sidecar.
func TestDashboards(t *testing.T) {
	got := map[string]string{}
	for _, m := range of[*corev1.ConfigMap](render(t, "everything")) {
		if m.Labels["grafana_dashboard"] == "" {
			continue
		}
		if m.Annotations["grafana_folder"] != "Certificates" {
			t.Errorf("%s has annotations %v, want the folder", m.Name, m.Annotations)
		}
		for name, text := range m.Data {
			got[name] = text
			if !json.Valid([]byte(text)) {
				t.Errorf("%s is no JSON", name)
			}
		}
	}
	want := map[string]string{}
	for _, file := range dashboards(t) {
		want[filepath.Base(file)] = read(t, file)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dashboards (-grafana +chart):\n%s", diff)
	}
}

// TestAlerts checks the changes that an operator asked for: of all alerts, of one,
// and none of the others and of the recording rules.
func TestAlerts(t *testing.T) {
	const changed = "AliyunCasDeploymentJobNeverStarted"
	var file monitoringv1.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict([]byte(read(t, root+"/deploy/prometheus/rules.yml")), &file); err != nil {
		t.Fatal(err)
	}
	for g, group := range one[*monitoringv1.PrometheusRule](t, render(t, "public")).Spec.Groups {
		for i, got := range group.Rules {
			want := file.Groups[g].Rules[i]
			if want.Alert != "" {
				want.Labels["team"] = "platform"
			}
			if want.Alert == changed {
				want.For, want.Labels["severity"] = new(monitoringv1.Duration("15m")), "info"
				want.Expr.StrVal = strings.ReplaceAll(want.Expr.StrVal, "> 3600", "> 7200")
			}
			got.Annotations, want.Annotations = nil, nil // TestRules
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rule %s%s (-want +got):\n%s", want.Alert, want.Record, diff)
			}
		}
	}
}

// TestInhibitions checks that Alertmanager gets the inhibitions of
// deploy/prometheus/alertmanager.yml.
func TestInhibitions(t *testing.T) {
	type rule struct {
		Source []string `json:"source_matchers"`
		Target []string `json:"target_matchers"`
		Equal  []string `json:"equal"`
	}
	var file struct {
		Rules []rule `json:"inhibit_rules"`
	}
	if err := yaml.Unmarshal([]byte(read(t, root+"/deploy/prometheus/alertmanager.yml")), &file); err != nil {
		t.Fatal(err)
	}
	written := func(list []monitoringv1alpha1.Matcher) (all []string) {
		for _, m := range list {
			all = append(all, m.Name+" "+string(m.MatchType)+` "`+m.Value+`"`)
		}
		return all
	}
	var got []rule
	for _, r := range one[*monitoringv1alpha1.AlertmanagerConfig](t, render(t, "public")).Spec.InhibitRules {
		got = append(got, rule{written(r.SourceMatch), written(r.TargetMatch), r.Equal})
	}
	if diff := cmp.Diff(file.Rules, got); diff != "" || len(got) == 0 {
		t.Errorf("inhibitions (-alertmanager.yml +chart):\n%s", diff)
	}
}
