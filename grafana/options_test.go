package grafana_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"aliyun_cas_exporter/grafana"
)

// TestOptionsAreGrafanas: the compiler knows the options by name, but takes any text
// for those that have a few values. Each must be one of the SDK's constants.
func TestOptionsAreGrafanas(t *testing.T) {
	built, err := grafana.Built(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	o := options{T: t, constants: map[string]map[string]bool{}}
	for _, d := range built {
		o.check(reflect.ValueOf(d), "dashboard")
	}
	if o.checked < 100 {
		t.Errorf("%d options were checked, want hundreds", o.checked)
	}
}

type options struct {
	*testing.T
	constants map[string]map[string]bool // of the SDK, as Type = "value", by package
	checked   int
}

// check looks at every text of a type of the SDK below a value.
func (o *options) check(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		o.check(v.Elem(), path)
	case reflect.Struct:
		for i := range v.NumField() {
			o.check(v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			o.check(v.Index(i), path)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			o.check(v.MapIndex(key), path+"."+key.String())
		}
	case reflect.String:
		if v.Type().PkgPath() == "" || v.String() == "" {
			return
		}
		o.checked++
		if !o.of(v.Type().PkgPath())[v.Type().Name()+" = "+strconv.Quote(v.String())] {
			o.Errorf("%s: %q is no %s", path, v, v.Type())
		}
	default:
	}
}

// of returns the constants of a package.
func (o *options) of(pkg string) map[string]bool {
	if found, ok := o.constants[pkg]; ok {
		return found
	}
	dir, err := exec.CommandContext(o.Context(), "go", "list", "-f", "{{.Dir}}", pkg).Output()
	if err != nil {
		o.Fatal(err)
	}
	found := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			o.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\t\w+ +(\w+ = ".*")$`).FindAllSubmatch(text, -1) {
			found[string(m[1])] = true
		}
	}
	o.constants[pkg] = found
	return found
}
