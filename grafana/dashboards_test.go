package grafana_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// dashboard is what the tests read of Grafana's model.
type dashboard struct {
	UID, Title, Description string
	Panels                  []panel
	Templating              struct{ List []variable }
	Annotations             struct{ List []annotation }

	document any // all of it
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasource
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []target
	Transformations          []transformation
	FieldConfig              struct {
		Defaults  defaults
		Overrides []override
	}

	Options, Document any
}

type defaults struct {
	Unit, NoValue string
	Links         []struct{ Title, URL string }
	Custom        map[string]any
}

type override struct {
	Matcher struct {
		ID      string
		Options struct{ Names []string }
	}
	Properties []struct {
		ID    string
		Value any
	}
}

type target struct {
	Datasource                        datasource
	Expr, LegendFormat, RefID, Format string
	Instant                           bool
}

type transformation struct {
	ID      string
	Options struct {
		IndexByName  map[string]int
		RenameByName map[string]string
		Conversions  []struct{ TargetField string }
	}
}

type variable struct {
	Type, Name, Description, Query, Regex, AllValue string
	Datasource                                      datasource
	IncludeAll                                      bool
}

type annotation struct {
	Name, TitleFormat string
	BuiltIn           int
	Datasource        datasource
	Target            target
}

type datasource struct{ Type, UID string }

// dashboards returns all dashboards by file.
func dashboards(t *testing.T) map[string]*dashboard {
	t.Helper()
	files, err := filepath.Glob("*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards (%v)", err)
	}
	all := map[string]*dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := &dashboard{}
		if err = json.Unmarshal(text, d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d.document, err = jsonschema.UnmarshalJSON(strings.NewReader(string(text))); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for i, p := range d.document.(map[string]any)["panels"].([]any) {
			d.Panels[i].Document = p
		}
		all[file] = d
	}
	return all
}

// TestSchemas validates the dashboards, the options and fields of each panel by
// its type, and each query, against the schemas that Grafana publishes.
func TestSchemas(t *testing.T) {
	folder := os.Getenv("GRAFANA_SCHEMAS")
	if folder == "" {
		t.Skip("left out: GRAFANA_SCHEMAS names no folder with the JSON schemas of Grafana's Foundation SDK")
	}
	compiler := jsonschema.NewCompiler()
	check := func(t *testing.T, where, schema, definition string, value any) {
		t.Helper()
		s, err := compiler.Compile(filepath.Join(folder, schema+".jsonschema.json") + "#/definitions/" + definition)
		if err != nil {
			t.Errorf("%s: no schema: %v", where, err)
			return
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	for file, d := range dashboards(t) {
		t.Run(file, func(t *testing.T) {
			check(t, "dashboard", "dashboard", "Dashboard", d.document)
			for _, p := range d.Panels {
				document := p.Document.(map[string]any)
				kind := strings.ReplaceAll(p.Type, "-", "")
				check(t, p.Title, kind, "Options", document["options"])
				for _, query := range document["targets"].([]any) {
					check(t, p.Title, "prometheus", "Dataquery", query)
				}
				fields := document["fieldConfig"].(map[string]any)
				check(t, p.Title, "dashboard", "FieldConfig", fields["defaults"])
				withCustom := p.FieldConfig.Defaults.Custom != nil
				if withCustom {
					check(t, p.Title, kind, "FieldConfig", fields["defaults"].(map[string]any)["custom"])
				}
				for _, o := range p.FieldConfig.Overrides {
					custom, standard := maps.Clone(p.FieldConfig.Defaults.Custom), map[string]any{}
					for _, property := range o.Properties {
						if name, isCustom := strings.CutPrefix(property.ID, "custom."); isCustom {
							custom[name] = property.Value
						} else {
							standard[property.ID] = property.Value
						}
					}
					check(t, p.Title+", override", "dashboard", "FieldConfig", standard)
					if withCustom {
						check(t, p.Title+", override", kind, "FieldConfig", custom)
					}
				}
			}
			for _, a := range d.document.(map[string]any)["annotations"].(map[string]any)["list"].([]any) {
				if query, ok := a.(map[string]any)["target"]; ok {
					check(t, "annotation", "prometheus", "Dataquery", query)
				}
			}
		})
	}
}

// TestConventions holds what Grafana accepts but a reader would miss.
func TestConventions(t *testing.T) {
	uids, ours := map[string]string{}, datasource{"prometheus", "${datasource}"}
	for file, d := range dashboards(t) {
		if file != d.UID+".json" || uids[d.UID] != "" || d.Title == "" || d.Description == "" {
			t.Errorf("%s: uid %q, title %q, description %q; want its own name, and texts", file, d.UID, d.Title, d.Description)
		}
		uids[d.UID] = file
		if id, has := d.document.(map[string]any)["id"]; has {
			t.Errorf("%s: carries the id %v of one Grafana", file, id)
		}
		ids, titles := map[int]bool{}, map[string]bool{}
		for i, p := range d.Panels {
			if ids[p.ID] || titles[p.Title] || p.ID == 0 || p.Title == "" || p.Description == "" {
				t.Errorf("%s: panel %d %q: wants an id and a title of its own, and a description", file, p.ID, p.Title)
			}
			ids[p.ID], titles[p.Title] = true, true
			if p.Datasource != ours || len(p.Targets) == 0 {
				t.Errorf("%s: %s: %d queries to %v, want some to %v", file, p.Title, len(p.Targets), p.Datasource, ours)
			}
			for _, query := range p.Targets {
				if query.Datasource != ours {
					t.Errorf("%s: %s: a query to %v, want %v", file, p.Title, query.Datasource, ours)
				}
			}
			if p.FieldConfig.Defaults.NoValue == "" {
				t.Errorf("%s: %s: says nothing when there is no data", file, p.Title)
			}
			if unitless := p.Type == "table" || p.Type == "state-timeline"; (p.FieldConfig.Defaults.Unit == "") != unitless {
				t.Errorf("%s: %s: unit %q of a %s", file, p.Title, p.FieldConfig.Defaults.Unit, p.Type)
			}
			if p.FieldConfig.Defaults.Unit == "d" {
				t.Errorf("%s: %s: Grafana shows 45 of the unit d as 6.4 weeks", file, p.Title)
			}
			for _, q := range d.Panels[:i] {
				a, b := p.GridPos, q.GridPos
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Errorf("%s: %s lies on %s", file, p.Title, q.Title)
				}
			}
			if p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: %s is wider than the page", file, p.Title)
			}
		}
		for i, v := range d.Templating.List {
			if v.Description == "" || (v.Type == "datasource") != (i == 0) {
				t.Errorf("%s: variable %s: wants a description; the data source comes first", file, v.Name)
			}
			// An account without a name has no label: only an All of .* matches that.
			if v.Type == "query" && (!v.IncludeAll || v.AllValue != ".*" || v.Datasource != ours) {
				t.Errorf("%s: variable %s: all %q of %v, want .* of %v", file, v.Name, v.AllValue, v.Datasource, ours)
			}
		}
		for _, a := range d.Annotations.List {
			if a.BuiltIn == 0 && a.Datasource != ours {
				t.Errorf("%s: annotation %s from %v, want %v", file, a.Name, a.Datasource, ours)
			}
		}
	}
}

// TestFormat keeps differences between versions readable.
func TestFormat(t *testing.T) {
	for file := range dashboards(t) {
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var document any
		if err := json.Unmarshal(got, &document); err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(document); err != nil {
			t.Fatal(err)
		}
		if string(got) != want.String() {
			t.Errorf("%s: not in the form of `jq --sort-keys .`", file)
		}
	}
}

// TestRecordingRulesAreRead: each costs a series for ever.
func TestRecordingRulesAreRead(t *testing.T) {
	rules, err := os.ReadFile("../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	read := string(rules)
	for _, d := range dashboards(t) {
		for _, q := range d.queries() {
			read += q.expr
		}
	}
	records := regexp.MustCompile(`(?m)^ +- record: (\S+)$`).FindAllStringSubmatch(string(rules), -1)
	if len(records) == 0 {
		t.Error("no recording rules")
	}
	for _, record := range records {
		if strings.Count(read, record[1]) < 2 {
			t.Errorf("neither a dashboard nor an alert reads %s", record[1])
		}
	}
}

// TestLinks checks that links between dashboards lead somewhere, with variables
// that are there.
func TestLinks(t *testing.T) {
	all := dashboards(t)
	for file, d := range all {
		for _, p := range d.Panels {
			for _, link := range p.FieldConfig.Defaults.Links {
				path, query, _ := strings.Cut(link.URL, "?")
				if !strings.HasPrefix(path, "/") {
					if !strings.HasPrefix(path, "https://") {
						t.Errorf("%s: %s: link to %s", file, p.Title, link.URL)
					}
					continue
				}
				to := all[strings.TrimPrefix(path, "/d/")+".json"]
				if to == nil {
					t.Errorf("%s: %s: link to %s, which is not there", file, p.Title, path)
					continue
				}
				for _, match := range regexp.MustCompile(`(?:\bvar-(\w+)=|\$\{(\w+):queryparam\})`).FindAllStringSubmatch(query, -1) {
					name := match[1] + match[2]
					if !slices.ContainsFunc(to.Templating.List, func(v variable) bool { return v.Name == name }) {
						t.Errorf("%s: %s: link sets %s, which %s has not", file, p.Title, name, path)
					}
				}
			}
		}
	}
}
