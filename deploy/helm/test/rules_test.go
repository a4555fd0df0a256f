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
