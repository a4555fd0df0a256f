package prometheus_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"text/template"
)

// annotations returns the texts of all alerts, each as `alert name`.
func annotations(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, r := range alerts(t) {
		for _, name := range []string{"summary", "description", "runbook_url", "console_url"} {
			if r.Annotations[name] == "" {
				t.Fatalf("%s has no %s", r.Alert, name)
			}
		}
		for name, text := range r.Annotations {
			texts[fmt.Sprintf("%s %s (%s)", r.Alert, name, r.Labels["severity"])] = text
		}
	}
	return texts
}

// TestAlertsLeadToPages: every alert about jobs links the exporter's page about them, as CAS_JOB_IDS writes jobs.
func TestAlertsLeadToPages(t *testing.T) {
	texts := annotations(t)
	for name := range texts {
		alert, rest, _ := strings.Cut(name, " runbook_url ")
		aboutJobs := strings.Contains(texts[name], "job_id=") || alert == "AliyunCasCertificateExpires"
		page, ok := texts[alert+" page_url "+rest]
		if rest == "" || !aboutJobs && !ok {
			continue
		}
		parsed, err := template.New(name).Parse(`{{$labels := .}}` + page)
		if err != nil || !aboutJobs || !ok {
			t.Errorf("%s: about jobs: %v, page_url %q: %v", alert, aboutJobs, page, err)
			continue
		}
		for want, labels := range map[string]map[string]string{
			"8888": {"job_id": "8888"}, "prod/8888": {"job_id": "8888", "account": "prod"}, "cn-hangzhou/8888": {"job_id": "8888", "api_region": "cn-hangzhou"},
			"prod/cn-hangzhou/8888": {"job_id": "8888", "account": "prod", "api_region": "cn-hangzhou"},
		} {
			var got strings.Builder
			if err := parsed.Execute(&got, labels); err != nil {
				t.Fatal(err)
			}
			if want = "http://localhost:10077/jobs/" + want; alert == "AliyunCasCertificateExpires" {
				want = "http://localhost:10077/?alert=" + alert
			}
			if got.String() != want {
				t.Errorf("%s leads to %s, want %s", alert, &got, want)
			}
		}
	}
}

// found is what a query in a text returns.
type found struct {
	Labels map[string]string
	Value  float64
}

// functions returns those that texts use. Queries find a series without labels, or nothing.
func functions(t *testing.T, some bool, queries *[]string) template.FuncMap {
	t.Helper()
	duration := func(v float64) string { return fmt.Sprint(v, "s") }
	return template.FuncMap{
		"query": func(q string) []found {
			*queries = append(*queries, q)
			if !some {
				return nil
			}
			return []found{{map[string]string{}, 1}}
		},
		"first":              func(s []found) found { return s[0] },
		"value":              func(s found) float64 { return s.Value },
		"label":              func(name string, s found) string { return s.Labels[name] },
		"sortByLabel":        func(_ string, s []found) []found { return s },
		"reReplaceAll":       func(pattern, by, text string) string { return regexp.MustCompile(pattern).ReplaceAllString(text, by) },
		"humanizeTimestamp":  duration,
		"humanizeDuration":   duration,
		"humanizePercentage": duration,
	}
}

// TestTextsRenderWithoutLabels: vmalert before 1.130 drops an alert whose text prints a label that the series lacks,
// where Prometheus prints nothing. So without missingkey=zero no text fails, and none shows the hole.
func TestTextsRenderWithoutLabels(t *testing.T) {
	for name, text := range annotations(t) {
		for _, some := range []bool{true, false} {
			for _, labels := range []map[string]string{{}, {"job": "cas", "job_id": "8888", "status": "error"}} {
				var queries []string
				parsed, err := template.New(name).Funcs(functions(t, some, &queries)).Parse(`{{$labels := .Labels}}{{$value := .Value}}` + text)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				var out strings.Builder
				if err := parsed.Execute(&out, map[string]any{"Labels": labels, "Value": 1.0}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				for _, hole := range []string{"<no value>", "<nil>", "%!"} {
					if strings.Contains(out.String()+strings.Join(queries, "\n"), hole) {
						t.Errorf("%s shows %s with labels %v: %s\n%s", name, hole, labels, out.String(), queries)
					}
				}
			}
		}
	}
}

// ofExporters says whether an alert is about exporters, whatever accounts they watch.
func ofExporters(name string) bool {
	return regexp.MustCompile(`^AliyunCas(ExporterDown|ExporterTargetDown|ShardMissing)\b`).MatchString(name)
}

// TestTextsSayWhereAndSinceWhen: whoever has nothing but the summary and the description of an alert knows which
// exporter or account it is about, how long it has been so, and what a worker is.
func TestTextsSayWhereAndSinceWhen(t *testing.T) {
	labels := map[string]string{
		"cluster": "A-CLUSTER", "namespace": "A-NAMESPACE", "job": "A-SCRAPE-JOB", "account": "AN-ACCOUNT", "api_region": "A-REGION", "job_id": "8888",
	}
	for _, r := range alerts(t) {
		rendered := map[string]string{}
		for _, text := range []string{"summary", "description"} {
			var queries []string
			parsed := template.Must(template.New(r.Alert).Funcs(functions(t, true, &queries)).Parse(`{{$labels := .Labels}}{{$value := .Value}}` + r.Annotations[text]))
			var out strings.Builder
			if err := parsed.Execute(&out, map[string]any{"Labels": labels, "Value": 7.0}); err != nil {
				t.Fatal(err)
			}
			rendered[text] = out.String()
		}
		where := []string{"A-CLUSTER", "AN-ACCOUNT", "A-REGION"}
		if ofExporters(r.Alert) {
			where = []string{"A-CLUSTER", "A-NAMESPACE", "A-SCRAPE-JOB"}
		}
		for _, label := range where {
			if !strings.Contains(rendered["summary"], label) {
				t.Errorf("%s: the summary does not say %s: %s", r.Alert, label, rendered["summary"])
			}
		}
		whole := rendered["summary"] + " " + rendered["description"]
		if !regexp.MustCompile(`\b[17]s\b`).MatchString(whole) {
			t.Errorf("%s does not say since when: %s", r.Alert, whole)
		}
		if regexp.MustCompile(`[^(]\bworkers?\b`).MatchString(whole) && !regexp.MustCompile(`A worker deploys to one resource|\(one per resource\)`).MatchString(rendered["description"]) {
			t.Errorf("%s does not say what a worker is: %s", r.Alert, whole)
		}
		if len(whole) > 1800 {
			t.Errorf("%s has %d bytes, want at most 1800", r.Alert, len(whole))
		}
	}
}

// TestTextsAskTheirOwnExporter: no query of a text finds the series of another cluster, namespace, scrape job or, where
// the alert has them, account, API region and deployment job.
func TestTextsAskTheirOwnExporter(t *testing.T) {
	identity := map[string]string{"cluster": "c", "namespace": "n", "job": "j", "account": "a", "api_region": "r", "job_id": "8888"}
	asked := 0
	for name, text := range annotations(t) {
		var queries []string
		parsed := template.Must(template.New(name).Funcs(functions(t, true, &queries)).Parse(`{{$labels := .Labels}}{{$value := .Value}}` + text))
		if err := parsed.Execute(&strings.Builder{}, map[string]any{"Labels": identity, "Value": 1.0}); err != nil {
			t.Fatal(err)
		}
		of := []string{"cluster", "namespace", "job"}
		if !ofExporters(name) {
			of = append(of, "account", "api_region")
		}
		if strings.HasPrefix(name, "AliyunCasOldCertificateServed") || strings.HasPrefix(name, "AliyunCasDeployedHostUnreachable") {
			of = []string{"cluster", "account", "api_region", "job_id"}
		}
		for _, q := range queries {
			asked++
			for _, label := range of {
				if want := fmt.Sprintf("%s=%q", label, identity[label]); !strings.Contains(q, want) {
					t.Errorf("%s: %s does not ask for %s", name, q, want)
				}
			}
		}
	}
	if asked < 50 {
		t.Errorf("texts ask only %d queries", asked)
	}
}

// TestTextsSayWhatToDoFirst: whoever reads nothing but the text of an alert knows how to begin.
func TestTextsSayWhatToDoFirst(t *testing.T) {
	for name, text := range annotations(t) {
		if strings.Contains(name, " description ") && (!strings.Contains(text, "First, ") || !regexp.MustCompile(`\bThen\b|\bIf not\b|\bUntil\b`).MatchString(text)) {
			t.Errorf("%s does not say what to do first, and then: %s", name, text)
		}
	}
}
