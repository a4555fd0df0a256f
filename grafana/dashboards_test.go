package grafana_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aliyun_cas_exporter/grafana"
)

var update = flag.Bool("update", false, "write the dashboards")

// shipped returns the exporter's families with their labels.
func shipped(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../collector/testdata/shipped.txt")
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		name, label, has := strings.Cut(strings.TrimSpace(line), " ")
		if !has {
			labels[name] = nil
			continue
		}
		labels[name] = append(labels[name], label)
	}
	return labels
}

// TestUpToDate compares the files that people import with what the code builds.
func TestUpToDate(t *testing.T) {
	built, err := grafana.All(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range built {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != string(want) {
			t.Errorf("%s is outdated; run the test with -update (%v)", file, err)
		}
	}
	for file := range dashboards(t) {
		if built[file] == nil {
			t.Errorf("%s: nothing builds it", file)
		}
	}
}

// dashboard is what the tests read of a file.
type dashboard struct {
	UID         string
	Panels      []panel // those of folded rows, too
	Templating  struct{ List []variable }
	Annotations struct{ List []annotation }
}

type panel struct {
	ID              int
	Type, Title     string
	GridPos         struct{ X, Y, W, H int }
	Targets         []target
	Transformations []struct {
		Options struct{ IndexByName map[string]int }
	}
	FieldConfig struct {
		Defaults  struct{ Links []dataLink }
		Overrides []struct {
			Properties []struct {
				ID    string
				Value json.RawMessage
			}
		}
	}
	Panels []panel

	text string // all of it
}

type dataLink struct{ Title, URL string }

type target struct {
	Expr, LegendFormat, RefID string
	Instant                   bool
}

type variable struct {
	Type, Name, Query, Regex, AllValue string
}

type annotation struct {
	Name, TitleFormat string
	Target            target
}

// UnmarshalJSON keeps the text.
func (p *panel) UnmarshalJSON(text []byte) error {
	type plain panel
	p.text = string(text)
	return json.Unmarshal(text, (*plain)(p))
}

// chosenBy returns the variables that choose by labels.
func (d *dashboard) chosenBy() []variable {
	return slices.DeleteFunc(slices.Clone(d.Templating.List), func(v variable) bool { return v.Type != "query" })
}

// dashboards returns the files.
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
		if err := json.Unmarshal(text, d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var panels []panel
		for _, p := range d.Panels {
			panels = append(append(panels, p), p.Panels...)
		}
		d.Panels, all[file] = panels, d
	}
	return all
}

// TestLayout checks what the builders allow and a reader would miss.
func TestLayout(t *testing.T) {
	unknown := regexp.MustCompile(`"(orientation|mode|sort|displayMode|placement)": ""`)
	for file, d := range dashboards(t) {
		ids, titles := map[int]bool{}, map[string]bool{}
		for i, p := range d.Panels {
			if ids[p.ID] || p.Type != "row" && titles[p.Title] {
				t.Errorf("%s: panel %d %q: wants an id and a title of its own", file, p.ID, p.Title)
			}
			ids[p.ID], titles[p.Title] = true, titles[p.Title] || p.Type != "row"
			if empty := unknown.FindString(p.text); empty != "" {
				t.Errorf("%s: %s: Grafana does not know %s", file, p.Title, empty)
			}
			if p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: %s is wider than the page", file, p.Title)
			}
			for _, q := range d.Panels[:i] {
				a, b := p.GridPos, q.GridPos
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Errorf("%s: %s lies on %s", file, p.Title, q.Title)
				}
			}
		}
	}
}

// links returns the links of values, of all and of some columns.
func (p panel) links(t *testing.T) []dataLink {
	t.Helper()
	all := p.FieldConfig.Defaults.Links
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "links" {
				var some []dataLink
				if err := json.Unmarshal(property.Value, &some); err != nil {
					t.Fatal(err)
				}
				all = append(all, some...)
			}
		}
	}
	return all
}

// TestLinks checks that links lead somewhere, with variables that are there.
func TestLinks(t *testing.T) {
	all := dashboards(t)
	has := func(d *dashboard, name string) bool {
		return slices.ContainsFunc(d.Templating.List, func(v variable) bool { return v.Name == name })
	}
	for file, d := range all {
		for _, p := range d.Panels {
			for _, link := range p.links(t) {
				path, query, _ := strings.Cut(link.URL, "?")
				if base := regexp.MustCompile(`^\$\{(\w+)\}/`).FindStringSubmatch(path); base != nil {
					if !has(d, base[1]) {
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
					if name := match[1] + match[2]; !has(to, name) {
						t.Errorf("%s: %s: link sets %s, which %s has not", file, p.Title, name, path)
					}
				}
			}
		}
	}
}
