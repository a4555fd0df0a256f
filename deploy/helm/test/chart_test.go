package chart_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLint lints the chart as it is and with each set of values.
func TestLint(t *testing.T) {
	args := []string{"lint", "--strict", chart}
	if _, stderr, err := run(t, "helm", args...); err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
	for _, variant := range variants(t) {
		if stdout, stderr, err := run(t, "helm", append(args, "--values", "values/"+variant+".yaml")...); err != nil {
			t.Errorf("%s: %v\n%s%s", variant, err, stdout, stderr)
		}
	}
}

// TestObjects pins what each set of values installs.
func TestObjects(t *testing.T) {
	base := "ConfigMap Deployment Service ServiceAccount"
	want := map[string]string{
		"default": base, "demo": base, "env": base, "files": base, "rrsa": base, "rrsa-webhook": base, "accounts": base,
		"ecs":      "ConfigMap Deployment NetworkPolicy Service ServiceAccount",
		"tls":      "ConfigMap Deployment PrometheusRule Service ServiceAccount ServiceMonitor",
		"password": "ConfigMap Deployment PodMonitor Service ServiceAccount",
		"replicas": "ConfigMap Deployment PodDisruptionBudget Service ServiceAccount",
		"sharded":  "ConfigMap PodDisruptionBudget Service ServiceAccount ServiceMonitor StatefulSet",
		"public":   "AlertmanagerConfig ConfigMap Deployment HTTPRoute Ingress NetworkPolicy PrometheusRule Service ServiceAccount ServiceMonitor",
		"everything": "AlertmanagerConfig ConfigMap ConfigMap" + strings.Repeat(" ConfigMap", len(dashboards(t))) +
			" HTTPRoute Ingress NetworkPolicy PodDisruptionBudget PodMonitor PrometheusRule ScrapeConfig Service ServiceAccount StatefulSet",
	}
	got := map[string]string{}
	for _, variant := range variants(t) {
		var kinds []string
		for _, object := range render(t, variant) {
			kinds = append(kinds, object.GetObjectKind().GroupVersionKind().Kind)
		}
		slices.Sort(kinds)
		got[variant] = strings.Join(kinds, " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// TestMetadata checks that every object is named, labelled and placed as the
// release's.
func TestMetadata(t *testing.T) {
	for _, variant := range variants(t) {
		names := map[string]bool{}
		for _, object := range render(t, variant) {
			meta := metadata(t, object)
			kind := object.GetObjectKind().GroupVersionKind().Kind
			if names[kind+meta.GetName()] {
				t.Errorf("%s: two objects %s %s", variant, kind, meta.GetName())
			}
			names[kind+meta.GetName()] = true
			if meta.GetNamespace() != "monitoring" {
				t.Errorf("%s: %s is in namespace %q, want monitoring", variant, kind, meta.GetNamespace())
			}
			for _, label := range []string{"name", "instance", "version", "managed-by"} {
				if meta.GetLabels()["app.kubernetes.io/"+label] == "" {
					t.Errorf("%s: %s has no label app.kubernetes.io/%s", variant, kind, label)
				}
			}
		}
	}
}

// TestLongNames checks that no name or label that is made of a release's name is
// too long.
func TestLongNames(t *testing.T) {
	for _, sharded := range []string{"false", "true"} {
		list := render(t, "default", "--name-template", strings.Repeat("r", 53), "--set", "replicas=10,sharding.enabled="+sharded)
		for _, object := range list {
			// A label of its pods is the set's name with a hash of ten characters.
			name, suffix := metadata(t, object).GetName(), ""
			if object.GetObjectKind().GroupVersionKind().Kind == "StatefulSet" {
				suffix = "-0123456789"
			}
			if len(name+suffix) > 63 {
				t.Errorf("%T %s is too long", object, name+suffix)
			}
		}
	}
}

// TestPackage checks that the packaged chart renders what the folder does, with
// rules and dashboards as files of its own, and holds nothing else.
func TestPackage(t *testing.T) {
	dir := t.TempDir()
	if _, stderr, err := run(t, "helm", "package", chart, "--destination", dir); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	archives, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(archives) != 1 {
		t.Fatalf("got %v, want one archive", archives)
	}
	stdout, stderr, err := run(t, "helm", "template", "cas", archives[0], "--namespace", "monitoring", "--values", "values/everything.yaml")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if diff := cmp.Diff(template(t, "everything"), stdout); diff != "" {
		t.Errorf("the package differs from the folder (-folder +package):\n%s", diff)
	}
	want := []string{".helmignore", "Chart.yaml", "README.md", "files/alertmanager.yml", "files/rules.yml", "values.schema.json", "values.yaml"}
	for _, file := range dashboards(t) {
		want = append(want, "files/dashboards/"+filepath.Base(file))
	}
	slices.Sort(want)
	got := packaged(t, archives[0])
	got = slices.DeleteFunc(got, func(name string) bool { return strings.HasPrefix(name, "templates/") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files of the package beside the templates (-want +got):\n%s", diff)
	}
}

// packaged returns the names of an archive's files, and fails for anything else.
func packaged(t *testing.T, archive string) []string {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	files := tar.NewReader(zip)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(names)
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag != tar.TypeReg {
			t.Errorf("%s is of type %c, want a file", header.Name, header.Typeflag)
		}
		names = append(names, strings.TrimPrefix(header.Name, "aliyun-cas-exporter/"))
	}
}

// TestBadValues checks that mistakes are found before anything is installed, and
// that the message names the value.
func TestBadValues(t *testing.T) {
	const secret = "credentials.secretName=cas-key"
	cases := []struct{ values, named string }{
		{"demo=yes", "demo"},
		{"unknown=1", "unknown"},
		{"image.name=x", "name"},
		{"image.repository=", "repository"},
		{"image.digest=sha256:12", "digest"},
		{"image.pullPolicy=Sometimes", "pullPolicy"},
		{"imagePullSecrets[0].name=x", "imagePullSecrets"},
		{secret + ",settings.CAS_POLL_INTERVALL=1m", "CAS_POLL_INTERVALL"},
		{secret + ",settings.POLL_INTERVAL=1m", "POLL_INTERVAL"},
		{secret + ",settings.CAS_POLL_INTERVAL=1 minute", "CAS_POLL_INTERVAL"},
		{secret + ",settings.CAS_POLL_INTERVAL=60", "CAS_POLL_INTERVAL"},
		{secret + ",settings.CAS_DISCOVERY=on", "CAS_DISCOVERY"},
		{secret + ",settings.CAS_PAGE_SIZE=fifty", "CAS_PAGE_SIZE"},
		{secret + ",settings.CAS_PAGE_SIZE=-1", "CAS_PAGE_SIZE"},
		{secret + ",settings.CAS_REQUESTS_PER_SECOND=0", "CAS_REQUESTS_PER_SECOND"},
		{secret + ",settings.CAS_JOB_IDS.a=1", "CAS_JOB_IDS"},
		{secret + ",settings.CAS_LOG_LEVEL=trace", "CAS_LOG_LEVEL"},
		{secret + ",settings.CAS_TOTAL_SHARDS=3", "CAS_TOTAL_SHARDS"},
		{secret + ",settings.CAS_WEB_LISTEN_ADDRESS=:80", "CAS_WEB_LISTEN_ADDRESS"},
		{secret + ",settings.ALIBABA_CLOUD_ACCESS_KEY_SECRET=x", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"},
		{secret + ",accounts.prod=role/cas", "prod"},
		{secret + ",accounts.a/b=acs:ram::1:role/x", "a/b"},
		{"demo=false", "credentials.secretName"},
		{"credentials.source=env", "credentials.secretName"},
		{"credentials.source=rrsa", "source"},
		{"credentials.accessKeySecret=x", "accessKeySecret"},
		{"credentials.secretName=x,credentials.secretKeys.accessKeyId=", "accessKeyId"},
		{"credentials.source=oidc", "credentials.oidc"},
		{"credentials.source=oidc,credentials.oidc.roleArn=acs:ram::1:role/x", "credentials.oidc"},
		{"credentials.source=oidc,credentials.oidc.roleArn=x,credentials.oidc.providerArn=y", "roleArn"},
		{"credentials.source=oidc,credentials.oidc.roleName=x,credentials.oidc.roleArn=acs:ram::1:role/x", "credentials.oidc"},
		{"credentials.source=oidc,credentials.oidc.roleName=acs:ram::1:role/x", "roleName"},
		{"credentials.source=oidc,credentials.oidc.roleName=x,credentials.oidc.tokenExpirationSeconds=60", "tokenExpirationSeconds"},
		{secret + ",replicas=0", "replicas"},
		{secret + ",replicas=1.5", "replicas"},
		{secret + ",sharding=true", "sharding"},
		{secret + ",web.tls=true", "web.secretName"},
		{secret + ",web.authentication=true", "web.secretName"},
		{secret + ",web.tlsSecretName=x", "web.secretName"},
		{secret + ",service.port=80800", "port"},
		{secret + ",service.type=ExternalName", "type"},
		{secret + ",service.type=NodePort,sharding.enabled=true", "service.type"},
		{secret + ",ingress.enabled=true", "ingress.hosts"},
		{secret + ",ingress.hosts[0].host=a", "hosts"},
		{secret + ",httpRoute.enabled=true", "httpRoute.parentRefs"},
		{secret + ",image.host=a", "host"},
		{secret + ",global.imageRegistry.a=b", "imageRegistry"},
		{secret + ",commonLabels.a=1", "commonLabels"},
		{secret + ",revisionHistoryLimit=-1", "revisionHistoryLimit"},
		{secret + ",dnsPolicy=Mine", "dnsPolicy"},
		{secret + ",livenessProbe=off", "livenessProbe"},
		{secret + ",initContainers.a=b", "initContainers"},
		{secret + ",extraManifests[0]=1", "extraManifests"},
		{secret + ",monitor.sampleLimit=-1", "sampleLimit"},
		{secret + ",monitor.proxyUrl=proxy:1", "proxyUrl"},
		{secret + ",monitor.targetLabels=a", "targetLabels"},
		{secret + ",prometheusRule.enabled=true,prometheusRule.alerts.AliyunCasDataStail.severity=info", "AliyunCasDataStail"},
		{secret + ",prometheusRule.alerts.AliyunCasDataStale.threshold=1", "threshold"},
		{secret + ",prometheusRule.enabled=true,prometheusRule.alerts.AliyunCasDataStale.replace.a/b=c", "no expression has"},
		{secret + ",monitor.kind=Probe", "kind"},
		{secret + ",monitor.enabled=true", "enabled"},
		{secret + ",monitor.interval=30 s", "interval"},
		{secret + ",prometheusRule.enabled=true,prometheusRule.disabled={AliyunCasDataStail}", "AliyunCasDataStail"},
		{secret + ",prometheusRule.runbookUrl=cas.example.com", "runbookUrl"},
		{secret + ",dashboards.labels.a=1", "labels"},
		{secret + ",networkPolicy.from.a=b", "from"},
		{secret + ",podDisruptionBudget.maxUnavailable=1", "maxUnavailable"},
		{secret + ",terminationGracePeriodSeconds=0", "terminationGracePeriodSeconds"},
		{secret + ",podLabels.a=1", "podLabels"},
		{secret + ",extraEnv[0]=A=B", "extraEnv"},
	}
	for _, c := range cases {
		stdout, stderr, err := run(t, "helm", "template", "cas", chart, "--set", c.values)
		if err == nil {
			t.Errorf("%s: rendered\n%s", c.values, stdout)
		} else if message := stderr[strings.LastIndex(stderr, "Error:")+1:]; !strings.Contains(message, c.named) {
			t.Errorf("%s: got %q, want %q in it", c.values, message, c.named)
		}
	}
}

// TestSubchart checks that the chart can be another one's dependency, to which
// helm gives global values.
func TestSubchart(t *testing.T) {
	if _, stderr, err := run(t, "helm", "template", "cas", chart, "--set", "demo=true,global.storageClass=x"); err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
}

// TestNotes checks what an operator is told after an installation.
func TestNotes(t *testing.T) {
	for values, want := range map[string][]string{
		"demo=true": {"1 replica of", "port-forward deployment/cas-aliyun-cas-exporter 10077", "http://localhost:10077/", "Demo", "No monitor"},
		"credentials.secretName=x,sharding.enabled=true,replicas=3": {"3 shards", "port-forward statefulset/"},
		"demo=true,ingress.enabled=true,ingress.hosts={a.b}":        {"From outside the cluster: http://a.b/"},
		"credentials.secretName=x,web.secretName=x,web.tls=true":    {"https://localhost:10077/"},
		"credentials.source=oidc,credentials.oidc.roleName=x":       {"kubectl label namespace monitoring pod-identity.alibabacloud.com/injection=on"},
		"credentials.source=oidc,credentials.oidc.roleName=x,serviceAccount.create=false,serviceAccount.name=own": {
			"kubectl -n monitoring annotate serviceaccount own pod-identity.alibabacloud.com/role-name=x",
		},
		"credentials.secretName=x,replicas=2":                                    {"up to 10 calls a second"},
		"credentials.secretName=x,replicas=3":                                    {"up to 15 calls a second"},
		"credentials.secretName=x,replicas=3,settings.CAS_REQUESTS_PER_SECOND=5": {"up to 15 calls"},
	} {
		stdout, stderr, err := run(t, "helm", "install", "cas", chart, "--namespace", "monitoring", "--dry-run=client", "--set", values)
		if err != nil {
			t.Errorf("%s: %v\n%s", values, err, stderr)
		}
		_, notes, _ := strings.Cut(stdout, "NOTES:")
		for _, text := range want {
			if !strings.Contains(notes, text) {
				t.Errorf("%s: no %q in\n%s", values, text, notes)
			}
		}
	}
}
