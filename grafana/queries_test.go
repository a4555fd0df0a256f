package grafana_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// interpolate replaces variables as Grafana does: by the chosen value, or by the
// regular expression of All.
func interpolate(t *testing.T, d *dashboard, query string, chosen map[string]string) string {
	t.Helper()
	builtin := map[string]string{"__rate_interval": "20s", "__range": "2m", "__from": "0"}
	return regexp.MustCompile(`\$([a-z_]\w*)|\$\{(\w+)(:pipe)?\}`).ReplaceAllStringFunc(query, func(reference string) string {
		name := strings.TrimSuffix(strings.Trim(reference, "${}"), ":pipe")
		if value, ok := builtin[name]; ok {
			return value
		}
		variables := d.chosenBy()
		i := slices.IndexFunc(variables, func(v variable) bool { return v.Name == name })
		if i < 0 {
			t.Errorf("%s: there is no variable %s", query, reference)
			return reference
		}
		value, ok := chosen[name]
		switch {
		case !ok:
			return variables[i].AllValue
		case strings.HasSuffix(reference, ":pipe}"):
			return value
		default: // twice: for the regular expression, and for the string that holds it
			return strings.ReplaceAll(regexp.QuoteMeta(value), `\`, `\\`)
		}
	})
}

// query is one of a dashboard, with what is made of its answer.
type query struct {
	where, expr string
	instant     bool
	labels      []string // that a legend or a link shows
	panel       string
	columns     []string // labels of which each must come with some query of the panel
}

var reference = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}|__field\.labels\.(\w+)`)

// queries returns the queries of panels and annotations.
func (d *dashboard) queries() []query {
	var all []query
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			q := query{where: p.Title + " " + t.RefID, panel: p.Title, expr: t.Expr, instant: t.Instant}
			texts := t.LegendFormat
			for _, link := range p.FieldConfig.Defaults.Links {
				texts += link.URL
			}
			for _, match := range reference.FindAllStringSubmatch(texts, -1) {
				q.labels = append(q.labels, match[1]+match[2])
			}
			for _, transformation := range p.Transformations {
				for column := range transformation.Options.IndexByName {
					if !strings.HasPrefix(column, "Value") {
						q.columns = append(q.columns, column)
					}
				}
			}
			all = append(all, q)
		}
	}
	for _, a := range d.Annotations.List {
		q := query{where: "annotation " + a.Name, expr: a.Target.Expr}
		for _, match := range reference.FindAllStringSubmatch(a.TitleFormat, -1) {
			q.labels = append(q.labels, match[1])
		}
		all = append(all, q)
	}
	return all
}

// TestQueriesReturnData runs every query of the dashboards, as Grafana would,
// against a Prometheus that scrapes the exporter in demo mode, one more as a named
// account with native histograms, one whose API cannot be reached, one whose key is
// refused, and one with a worker that is stuck and hosts that a prober connects to.
func TestQueriesReturnData(t *testing.T) {
	exporter := buildExporter(t)
	demo := map[string]string{"CAS_REQUESTS_PER_SECOND": "100"}
	dead := map[string]string{
		"CAS_ENDPOINT": "http://127.0.0.1:1", "CAS_JOB_IDS": "8888",
		"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
	}
	at := time.Now().Add(-time.Hour)
	expires := at.AddDate(0, 3, 0)
	certificates := []simulator.Certificate{{ID: 7, Name: "www", CommonName: "www.example.com", NotAfter: expires}}
	estate := simulator.New(simulator.Options{})
	estate.PutJob(simulator.Job{ID: 8888, Name: "renewal", Status: "success", JobType: "user", Created: at, Modified: at, Start: at, End: at, Certificates: certificates},
		[]simulator.Worker{{
			ID: 1, Status: "processing", CloudProduct: "SLB", RegionID: "cn-hangzhou", InstanceID: "lb-1", ListenerID: "lsn-1@443", Port: 443,
			ResourceDomain: "www.example.com", CertName: "www", Created: at, Modified: at,
		}})
	api := httptest.NewServer(estate)
	defer api.Close()
	stuck := map[string]string{
		"CAS_ENDPOINT": api.URL, "ALIBABA_CLOUD_ACCESS_KEY_ID": simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": simulator.DemoAccessKeySecret,
	}
	refused := map[string]string{
		"CAS_ENDPOINT": api.URL, "ALIBABA_CLOUD_ACCESS_KEY_ID": "unknown", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
	}
	const place = "cluster: eu, namespace: certs"
	p := startPrometheus(t,
		scrape{job: "cas", labels: place, targets: []string{startExporter(t, exporter, demo, "--demo"), startExporter(t, exporter, dead)}},
		scrape{job: "named", labels: place, targets: []string{startExporter(t, exporter, demo, "--demo"), startExporter(t, exporter, refused), startExporter(t, exporter, stuck)}, more: `    scrape_native_histograms: true
    always_scrape_classic_histograms: true
    metric_relabel_configs:
      - {source_labels: [__name__], regex: aliyun_cas_(deployment|discovery|poll|api)_.*, target_label: account, replacement: prod}
`},
		probing(startProber(t, host{"prod", 8888, 7, expires}, host{"prod", 8888, 7, at}, host{"prod", 8888, 7, time.Time{}}), "cluster: eu"))
	count := 0
	for file, d := range dashboards(t) {
		options := map[string][]string{}
		for _, v := range d.chosenBy() {
			count++
			eventually(t, file+": variable "+v.Name, func() (err error) {
				options[v.Name], err = choices(p, v, interpolate(t, d, v.Query, nil))
				return err
			})
		}
		shown := map[string]map[string]bool{} // labels by panel
		for _, q := range d.queries() {
			count++
			eventually(t, file+": "+q.where, func() error {
				result, err := run(p, q, interpolate(t, d, q.expr, nil), time.Now())
				labels := map[string]bool{}
				for _, s := range result {
					for label := range s.Metric {
						labels[label] = true
					}
				}
				for _, label := range q.labels {
					if err == nil && !labels[label] && label != "api_region" {
						err = fmt.Errorf("no series has the label %s that is shown", label)
					}
				}
				if shown[q.panel] == nil {
					shown[q.panel] = map[string]bool{}
				}
				maps.Copy(shown[q.panel], labels)
				return err
			})
		}
		checkColumns(t, d, shown)
		if !t.Failed() { // else some variable has no choices
			t.Run(file, func(t *testing.T) { checkChoices(t, p, d, options) })
		}
	}
	if !t.Failed() {
		t.Logf("%d queries of panels, annotations and variables returned data", count)
	}
	for file, d := range dashboards(t) {
		t.Run("names in "+file, func(t *testing.T) { checkLabels(t, p, d) })
	}
}

// checkColumns checks that the columns of tables are the labels of their queries,
// which Grafana would show, too, under their own names.
func checkColumns(t *testing.T, d *dashboard, shown map[string]map[string]bool) {
	t.Helper()
	for _, q := range d.queries() {
		labels, ok := shown[q.panel]
		if !ok || len(q.columns) == 0 {
			continue
		}
		for _, column := range q.columns {
			// There are several API regions only if CAS_REGION_ID lists them, and alerts have the labels that they fire with.
			if !labels[column] && column != "api_region" && !strings.Contains(q.expr, "ALERTS") {
				t.Errorf("%s: no query brings the label %s of a column", q.where, column)
			}
		}
		for label := range labels {
			if !slices.Contains(q.columns, label) {
				t.Errorf("%s: the label %s has no column", q.where, label)
			}
		}
	}
}

// run evaluates a query and demands a number.
func run(p prometheus, q query, expr string, at time.Time) ([]sample, error) {
	evaluate := p.queryRange
	if q.instant {
		evaluate = p.query
	}
	result, err := evaluate(expr, at)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, expr)
	}
	for _, s := range result {
		for _, value := range append(s.Values, s.Value) {
			if value[1] != nil && value[1] != "NaN" {
				return result, nil
			}
		}
	}
	return nil, fmt.Errorf("%d series without a number\n%s", len(result), expr)
}

// choices returns the values of a variable as Grafana finds them.
func choices(p prometheus, v variable, expr string) ([]string, error) {
	var texts []string
	if match := regexp.MustCompile(`^label_values\((.+),\s*(\w+)\)$`).FindStringSubmatch(expr); match != nil {
		if err := p.get("label/"+match[2]+"/values", &texts, "match[]", match[1]); err != nil {
			return nil, err
		}
	} else if match := regexp.MustCompile(`^query_result\((.+)\)$`).FindStringSubmatch(expr); match != nil {
		result, err := p.query(match[1], time.Now())
		if err != nil {
			return nil, err
		}
		for _, s := range result {
			var labels []string
			for _, name := range slices.Sorted(maps.Keys(s.Metric)) {
				labels = append(labels, fmt.Sprintf(`%s="%s"`, name, s.Metric[name]))
			}
			texts = append(texts, fmt.Sprintf("{%s} %v 0", strings.Join(labels, ","), s.Value[1]))
		}
	} else {
		return nil, fmt.Errorf("neither label_values nor query_result: %s", expr)
	}
	if len(texts) == 0 {
		return nil, errors.New("no choices")
	}
	if v.Regex == "" {
		return texts, nil
	}
	pattern := regexp.MustCompile(strings.Trim(v.Regex, "/"))
	if groups := pattern.SubexpNames()[1:]; !slices.Equal(groups, []string{""}) && !slices.Equal(groups, []string{"value", "text"}) {
		return nil, fmt.Errorf("%s: groups %q, want one, or value and text", v.Regex, groups)
	}
	values := make([]string, len(texts))
	for i, text := range texts {
		match := pattern.FindStringSubmatch(text)
		if match == nil {
			return nil, fmt.Errorf("%s does not match %s", v.Regex, text)
		}
		values[i] = match[max(1, pattern.SubexpIndex("value"))]
	}
	return values, nil
}

// checkChoices runs the queries for each choice of each variable: what comes is
// of that choice.
func checkChoices(t *testing.T, p prometheus, d *dashboard, options map[string][]string) {
	t.Helper()
	for name, values := range options {
		for _, value := range values {
			some := 0
			for _, q := range d.queries() {
				result, err := p.query(interpolate(t, d, q.expr, map[string]string{name: value}), time.Now())
				if err != nil {
					t.Errorf("%s, %s=%s: %v", q.where, name, value, err)
				}
				for _, s := range result {
					label, shown := s.Metric[name]
					if shown && label != value {
						t.Errorf("%s, %s=%s: came %s", q.where, name, value, label)
					}
					if shown {
						some++
					}
				}
			}
			if some == 0 {
				t.Errorf("no series when %s is %s", name, value)
			}
		}
	}
}
