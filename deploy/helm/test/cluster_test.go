//go:build cluster

package chart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCluster asks the API server of KUBECONFIG what it would do with each set of
// values, by dry runs on the server's side: it changes nothing. The cluster must have
// the namespace monitoring and the CRDs of prometheus-operator and the Gateway API.
func TestCluster(t *testing.T) {
	for _, variant := range variants(t) {
		file := filepath.Join(t.TempDir(), "objects.yaml")
		if err := os.WriteFile(file, []byte(template(t, variant)), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, err := run(t, "kubectl", "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", file)
		if err != nil || stderr != "" {
			t.Errorf("%s: %v\n%s", variant, err, stderr)
		}
		if got, want := strings.Count(stdout, "(server dry run)"), len(render(t, variant)); got != want {
			t.Errorf("%s: %d objects, want %d:\n%s", variant, got, want, stdout)
		}
	}
}
