package prometheus_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/config"
	"aliyun_cas_exporter/docs"
	"aliyun_cas_exporter/internal/server"
)

// find returns what the first group of an expression matches in a text, in order.
func find(text, expression string) []string {
	var found []string
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// TestEveryAlertHasARunbook compares the sections with the alerts, in the same
// order, and the links of the alerts with the page that is served.
func TestEveryAlertHasARunbook(t *testing.T) {
	alerts := slices.Compact(find(read(t, "rules.yml"), `(?m)^ +- alert: (\S+)$`)) // one alert may have two severities
	if diff := cmp.Diff(alerts, find(docs.Runbooks, `(?m)^## (\S+)$`)); diff != "" {
		t.Errorf("sections of docs/runbooks.md (-alerts +sections):\n%s", diff)
	}
	s, err := server.New(server.Options{
		Gatherer: prometheus.NewRegistry(), Registerer: prometheus.NewRegistry(), Ready: func() bool { return true }, Status: func() server.Status { return server.Status{} },
		TelemetryPath: "/metrics", Runbooks: docs.Runbooks, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/runbooks", http.NoBody))
	anchors := find(answer.Body.String(), `<h2 id="([^"]+)">`)
	links := slices.Compact(find(read(t, "rules.yml"), `(?m)^ +runbook_url: http://localhost:10077/runbooks(?:\?job_id=\{\{ or \$labels\.job_id "" \}\})?#(\S+)$`))
	if diff := cmp.Diff(anchors, links); diff != "" {
		t.Errorf("links of the alerts (-anchors of the page +links):\n%s", diff)
	}
	for _, link := range find(docs.Runbooks, `\]\(#([^)]+)\)`) {
		if !slices.Contains(anchors, link) {
			t.Errorf("docs/runbooks.md links #%s, which the page does not have", link)
		}
	}
}

// TestRunbooksAreWhole: each says how to see it, why it comes, what to do and when not to.
func TestRunbooksAreWhole(t *testing.T) {
	for _, section := range strings.Split(docs.Runbooks, "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		for _, part := range []string{"\n```promql\n", "\n```sh\naliyun ", "\nCauses", "\nDo", "\n(?:Ignore|Never ignore) it"} {
			if n := len(regexp.MustCompile(part).FindAllString(text, -1)); n != 1 {
				t.Errorf("%s has %d of %q, want 1", name, n, part)
			}
		}
	}
}

// TestNamesExist compares the metrics and settings that rules and runbooks name with
// docs/metrics.md, the recording rules and the program.
func TestNamesExist(t *testing.T) {
	known := []string{"aliyun_cas_exporter", "aliyun_cas_textfile"} // the program and its unit
	known = append(known, find(read(t, "../../docs/metrics.md"), `(?m)^### (\S+)$`)...)
	known = append(known, find(read(t, "rules.yml"), `(?m)^ +- record: (\S+)$`)...)
	for _, v := range config.Table() {
		known = append(known, v.Name)
	}
	for path, text := range map[string]string{"rules.yml": read(t, "rules.yml"), "runbooks.md": docs.Runbooks} {
		names := find(text, `\b((?:\w+:)?aliyun_cas_\w+(?::\w+)?|CAS_[A-Z_]+)\b`)
		if len(names) < 20 {
			t.Errorf("%s: only %d names are understood", path, len(names))
		}
		for _, name := range names {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
	}
}

// TestCallsAreAccepted checks the calls of rules and runbooks by the parameters that
// Alibaba Cloud's own CLI knows.
func TestCallsAreAccepted(t *testing.T) {
	const described = "../../internal/simulator/testdata/cli-metadata"
	// They change something, so the exporter has no use for them, and the CLI's description is not here.
	known := map[string][]string{
		"UpdateDeploymentJobStatus": {"JobId", "Status"},
		"DeleteDeploymentJob":       {"JobId"},
		"CreateDeploymentJob":       {"Name", "JobType", "CertIds", "ResourceIds", "ContactIds"},
	}
	ofTheCLI := []string{"region", "pager", "output", "profile"}
	files, err := filepath.Glob(described + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no description in %s: %v", described, err)
	}
	for _, file := range files {
		var action struct {
			Name       string
			Parameters []struct{ Name string }
		}
		if err := json.Unmarshal([]byte(read(t, file)), &action); err != nil {
			t.Fatal(err)
		}
		for _, p := range action.Parameters {
			known[action.Name] = append(known[action.Name], p.Name)
		}
	}
	calls := find(docs.Runbooks+read(t, "rules.yml"), "aliyun cas ([A-Z][^\n`]*)")
	if len(calls) < 20 {
		t.Errorf("only %d calls are understood", len(calls))
	}
	for _, call := range calls {
		action, rest, _ := strings.Cut(call, " ")
		if known[action] == nil {
			t.Errorf("%q calls an unknown action", call)
		}
		for _, parameter := range find(rest, `--(\w+)`) {
			if !slices.Contains(append(ofTheCLI, known[action]...), parameter) {
				t.Errorf("%q has an unknown parameter %s", call, parameter)
			}
		}
	}
}
