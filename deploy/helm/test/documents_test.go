package chart_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"aliyun_cas_exporter/internal/docsync"
)

// schema is what the tests read of values.schema.json.
type schema struct {
	Properties map[string]schema
}

func readSchema(t *testing.T) schema {
	t.Helper()
	var s schema
	if err := json.Unmarshal([]byte(read(t, chart+"/values.schema.json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// value is a value of the chart: one that has no values of its own.
type value struct{ Name, Default, Meaning string }

// values returns the chart's values in the order of values.yaml.
func values(t *testing.T) []value {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, chart+"/values.yaml")), &document); err != nil {
		t.Fatal(err)
	}
	return list(t, "", readSchema(t), document.Content[0])
}

// list returns the values below a mapping. What the schema does not divide is one
// value, whatever it holds.
func list(t *testing.T, prefix string, of schema, mapping *yaml.Node) []value {
	t.Helper()
	var found []value
	for i := 0; i < len(mapping.Content); i += 2 {
		key, node := mapping.Content[i], mapping.Content[i+1]
		inner, ok := of.Properties[key.Value]
		name := prefix + key.Value
		switch {
		case !ok:
			t.Errorf("values.yaml has %s, of which values.schema.json knows nothing", name)
		case len(inner.Properties) > 0 && len(node.Content) > 0:
			found = append(found, list(t, name+".", inner, node)...)
		default:
			found = append(found, value{name, inline(t, node), comment(key)})
		}
		delete(of.Properties, key.Value)
	}
	delete(of.Properties, "global")
	for name := range of.Properties {
		t.Errorf("values.schema.json has %s, of which values.yaml knows nothing", prefix+name)
	}
	return found
}

// inline writes a default on a line.
func inline(t *testing.T, node *yaml.Node) string {
	t.Helper()
	var v any
	if err := node.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if text, ok := v.(string); ok && text != "" {
		return text
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func comment(key *yaml.Node) string {
	lines := strings.Split(key.HeadComment, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(strings.TrimPrefix(line, "#"))
	}
	return strings.Join(lines, " ")
}

// TestValuesAreDocumented compares the README's table with values.yaml, and both
// with the schema.
func TestValuesAreDocumented(t *testing.T) {
	table := "| value | default | meaning |\n|---|---|---|\n"
	for _, v := range values(t) {
		table += fmt.Sprintf("| `%s` | `%s` | %s |\n", v.Name, strings.ReplaceAll(v.Default, "|", `\|`), v.Meaning)
	}
	docsync.Check(t, *update, chart+"/README.md", "values", table)
}

// TestVersion checks that the README builds the image that the chart asks for.
func TestVersion(t *testing.T) {
	image := render(t, "default").workload(t).container(t).Image
	if command := "make image VERSION=" + strings.TrimPrefix(image, "aliyun_cas_exporter:"); !strings.Contains(read(t, chart+"/README.md"), command+"`") {
		t.Errorf("the README has no %q", command)
	}
}
