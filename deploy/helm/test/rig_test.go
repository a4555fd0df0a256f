package chart_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const (
	root  = "../../.."
	chart = "../aliyun-cas-exporter"
)

var update = flag.Bool("update", false, "write the README's table of values")

// variants returns the names of the sets of values.
func variants(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("values/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("sets of values: %v, %v", files, err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".yaml")
	}
	return files
}

// run runs a command and returns what it wrote.
func run(t *testing.T, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// rendered remembers what template returned.
var rendered sync.Map

// template renders the chart as release cas in namespace monitoring.
func template(t *testing.T, variant string, args ...string) string {
	t.Helper()
	args = append([]string{"template", "--name-template", "cas", chart, "--namespace", "monitoring", "--values", "values/" + variant + ".yaml"}, args...)
	command := strings.Join(args, " ")
	if text, ok := rendered.Load(command); ok {
		return text.(string)
	}
	stdout, stderr, err := run(t, "helm", args...)
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", command, err, stderr)
	}
	rendered.Store(command, stdout)
	return stdout
}

// objects are what a chart installs.
type objects []runtime.Object

// render decodes what the chart renders, strictly: an unknown or repeated field
// is an error.
func render(t *testing.T, variant string, args ...string) objects {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, policyv1.AddToScheme, networkingv1.AddToScheme, gatewayv1.Install,
		monitoringv1.AddToScheme, monitoringv1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var list objects
	for document := range strings.SplitSeq(template(t, variant, args...), "\n---\n") {
		if strings.TrimSpace(document) == "" {
			continue
		}
		object, _, err := decoder.Decode([]byte(document), nil, nil)
		if err != nil {
			t.Errorf("%v\n%s", err, document)
			continue
		}
		list = append(list, object)
	}
	return list
}

// of returns the objects of a type.
func of[T runtime.Object](list objects) []T {
	var found []T
	for _, object := range list {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// one returns the only object of a type.
func one[T runtime.Object](t *testing.T, list objects) T {
	t.Helper()
	found := of[T](list)
	if len(found) != 1 {
		t.Fatalf("%d objects of type %T, want 1", len(found), *new(T))
	}
	return found[0]
}

// workload is what a Deployment and a StatefulSet have in common.
type workload struct {
	Kind, Name string
	Replicas   int
	Selector   *metav1.LabelSelector
	Template   corev1.PodTemplateSpec
}

func (l objects) workload(t *testing.T) workload {
	t.Helper()
	if len(of[*appsv1.StatefulSet](l)) > 0 {
		s := one[*appsv1.StatefulSet](t, l)
		return workload{"StatefulSet", s.Name, int(*s.Spec.Replicas), s.Spec.Selector, s.Spec.Template}
	}
	d := one[*appsv1.Deployment](t, l)
	return workload{"Deployment", d.Name, int(*d.Spec.Replicas), d.Spec.Selector, d.Spec.Template}
}

// container returns the exporter's container.
func (w workload) container(t *testing.T) corev1.Container {
	t.Helper()
	c := w.Template.Spec.Containers[0]
	if c.Name != "exporter" {
		t.Fatalf("the first container is %s, want exporter", c.Name)
	}
	return c
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func metadata(t *testing.T, object runtime.Object) metav1.Object {
	t.Helper()
	meta, ok := object.(metav1.Object)
	if !ok {
		t.Fatalf("%T has no metadata", object)
	}
	return meta
}

// dashboards returns the files of the dashboards.
func dashboards(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(root + "/grafana/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("dashboards: %v, %v", files, err)
	}
	return files
}
