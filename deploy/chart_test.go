package deploy_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v2"

	"aliyun_cas_exporter/config"
)

// TestChartSettings checks that the chart's schema has the exporter's settings, each
// by its type, and no others: secrets have no place in a ConfigMap, and some settings
// follow from other values. The set of values called everything leaves none out.
func TestChartSettings(t *testing.T) {
	ours := []string{
		"CAS_CREDENTIALS", "CAS_ACCESS_KEY_ID_FILE", "CAS_ACCESS_KEY_SECRET_FILE", "CAS_SECURITY_TOKEN_FILE",
		"CAS_ACCOUNTS", "CAS_SHARD", "CAS_TOTAL_SHARDS", "CAS_WEB_LISTEN_ADDRESS", "CAS_WEB_SYSTEMD_SOCKET", "CAS_WEB_TELEMETRY_PATH", "CAS_WEB_CONFIG_FILE",
	}
	want := map[string]string{}
	types := reflect.TypeFor[config.Settings]()
	for i, v := range config.Table() {
		kind := types.Field(i).Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if kind != reflect.TypeFor[config.Secret]() && !slices.Contains(ours, v.Name) {
			name := strings.TrimRight(kind.Name(), "0123456789")
			want[v.Name] = "#/definitions/setting" + strings.ToUpper(name[:1]) + name[1:]
		}
	}
	var schema struct {
		Properties struct {
			Settings struct {
				Properties map[string]struct {
					Ref string `json:"$ref"`
				}
			}
		}
	}
	load(t, "helm/aliyun-cas-exporter/values.schema.json", json.Unmarshal, &schema)
	var everything struct{ Settings map[string]any }
	load(t, "helm/test/values/everything.yaml", func(text []byte, v any) error { return yaml.Unmarshal(text, v) }, &everything)
	got := map[string]string{}
	for name, property := range schema.Properties.Settings.Properties {
		got[name] = property.Ref
		if everything.Settings[name] == nil {
			t.Errorf("helm/test/values/everything.yaml lacks %s", name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-exporter +values.schema.json):\n%s", diff)
	}
}

// TestChartAlerts checks that the alerts that sets of values change or leave out exist.
func TestChartAlerts(t *testing.T) {
	rules, err := os.ReadFile("prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, variant := range []string{"everything", "public"} {
		var values struct {
			Rule struct {
				Alerts   map[string]any
				Disabled []string
			} `yaml:"prometheusRule"`
		}
		load(t, "helm/test/values/"+variant+".yaml", func(text []byte, v any) error { return yaml.Unmarshal(text, v) }, &values)
		names := append(slices.Collect(maps.Keys(values.Rule.Alerts)), values.Rule.Disabled...)
		for _, name := range names {
			if !strings.Contains(string(rules), "- alert: "+name+"\n") {
				t.Errorf("helm/test/values/%s.yaml: there is no alert %s", variant, name)
			}
		}
		if len(names) == 0 {
			t.Errorf("helm/test/values/%s.yaml names no alert", variant)
		}
	}
}

func load(t *testing.T, path string, decode func([]byte, any) error, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = decode(text, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
