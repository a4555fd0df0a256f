// Package compose_test loads the compose file as docker compose does. It is a
// module of its own: the loader would be a large dependency of an exporter. promtool
// must be in the PATH. No engine starts the services, and no Grafana reads its files.
package compose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
)

// load loads the compose file with the settings of an .env file, empty for none.
func load(t *testing.T, dotEnv string) *types.Project {
	t.Helper()
	// A copy: a developer may have an .env.
	root := t.TempDir()
	folder := filepath.Join(root, "deploy", "compose")
	for name, text := range map[string]string{"compose.yaml": read(t, "compose.yaml"), ".env": dotEnv} {
		if text == "" {
			continue
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(folder, "compose.yaml")},
		cli.WithWorkingDirectory(folder), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithProfiles([]string{"probes"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPrometheus lets promtool check the configuration, beside the rules that it names.
func TestPrometheus(t *testing.T) {
	dir := t.TempDir()
	for name, source := range map[string]string{"prometheus.yml": "prometheus.yml", "rules.yml": "../prometheus/rules.yml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(read(t, source)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "promtool", "check", "config", "--lint=all", "--lint-fatal", filepath.Join(dir, "prometheus.yml"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestExporter(t *testing.T) {
	demo := load(t, "").Services["exporter"]
	if diff := cmp.Diff(types.ShellCommand{"--demo"}, demo.Command); diff != "" {
		t.Errorf("command without an .env file (-want +got):\n%s", diff)
	}
	example := regexp.MustCompile(`(?m)^(ALIBABA_CLOUD_\w+)=$`).ReplaceAllString(read(t, "env.example"), "$1=given")
	actual := load(t, example).Services["exporter"]
	if len(actual.Command) != 0 {
		t.Errorf("command with env.example: got %q, want none", actual.Command)
	}
	for _, name := range []string{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"} {
		if value := actual.Environment[name]; value == nil || *value != "given" {
			t.Errorf("%s of env.example does not reach the exporter", name)
		}
	}
	if !actual.ReadOnly || !slices.Equal(actual.CapDrop, []string{"ALL"}) || !slices.Equal(actual.SecurityOpt, []string{"no-new-privileges:true"}) {
		t.Error("the exporter runs with more rights than it needs")
	}
}

// TestServed: the job is the shipped one, at this file's addresses.
func TestServed(t *testing.T) {
	_, shipped, _ := strings.Cut(read(t, "../prometheus/served.yml"), "scrape_configs:\n")
	want := strings.NewReplacer("localhost:10077", "exporter:10077", "localhost:9115", "blackbox:9115").Replace(shipped)
	if got := read(t, "prometheus.yml"); !strings.Contains(got, want) {
		t.Errorf("prometheus.yml does not have\n%s", want)
	}
}

func TestPortsAreThisHostsAlone(t *testing.T) {
	for name, service := range load(t, "").Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %d is open on %q, want 127.0.0.1", name, port.Target, port.HostIP)
			}
		}
	}
}

// TestMountedFiles holds that what is mounted exists, and that the mounted files
// name services and folders that are there.
func TestMountedFiles(t *testing.T) {
	project := load(t, "")
	mounted := map[string]string{}
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			source, err := filepath.Rel(project.WorkingDir, volume.Source)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(source); err != nil || !volume.ReadOnly {
				t.Errorf("%s mounts %s: %v, read-only %t", name, source, err, volume.ReadOnly)
			}
			mounted[volume.Target] = source
		}
	}
	for _, file := range []string{"prometheus.yml", "grafana/datasource.yml"} {
		for _, address := range regexp.MustCompile(`\b([a-z]+):(\d{4,5})\b`).FindAllStringSubmatch(read(t, file), -1) {
			if address[1] == "localhost" {
				continue
			}
			if !slices.ContainsFunc(project.Services[address[1]].Ports, func(p types.ServicePortConfig) bool { return p.Published == address[2] }) {
				t.Errorf("%s: no service answers at %s", file, address[0])
			}
		}
	}
	path := regexp.MustCompile(`(?m)^ +path: (\S+)$`).FindStringSubmatch(read(t, "grafana/dashboards.yml"))
	if path == nil {
		t.Fatal("grafana/dashboards.yml names no folder")
	}
	if found, _ := filepath.Glob(filepath.Join(mounted[path[1]], "*.json")); len(found) == 0 {
		t.Errorf("no dashboard is where Grafana looks for it: %s is %q", path[1], mounted[path[1]])
	}
}
