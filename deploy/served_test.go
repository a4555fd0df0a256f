package deploy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"
)

// TestServed checks that what the README tells people to paste is what is shipped, at most ten lines, and that Prometheus'
// job cannot be taken for an exporter by the alerts.
func TestServed(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	readme := read("../README.md")
	lines, keys := 0, map[string]bool{"modules:": true, "scrape_configs:": true} // that every configuration has
	for _, name := range []string{"blackbox.yml", "served.yml"} {
		shipped := regexp.MustCompile(`(?m)^ *#.*\n`).ReplaceAllString(read("prometheus/"+name), "")
		if !strings.Contains(readme, "\n"+shipped) {
			t.Errorf("the README does not have what prometheus/%s has:\n%s", name, shipped)
		}
		for line := range strings.Lines(shipped) {
			if !keys[strings.TrimSpace(line)] {
				lines++
			}
		}
	}
	if lines > 10 {
		t.Errorf("%d lines are too much to paste", lines)
	}
	var served struct {
		Jobs []struct {
			Name string `yaml:"job_name"`
		} `yaml:"scrape_configs"`
	}
	load(t, "prometheus/served.yml", func(text []byte, v any) error { return yaml.Unmarshal(text, v) }, &served)
	exporters := regexp.MustCompile(`up\{job=~"([^"]*)"\}`).FindStringSubmatch(read("prometheus/rules.yml"))
	if exporters == nil || len(served.Jobs) != 1 || regexp.MustCompile("^(?:"+exporters[1]+")$").MatchString(served.Jobs[0].Name) {
		t.Errorf("by %s the job of %v is an exporter", exporters, served.Jobs)
	}
}
