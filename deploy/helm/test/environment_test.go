package chart_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// secrets are those that the sets of values name.
var secrets = map[string]map[string]string{
	"cas-key": {
		"access_key_id": "LTAI-id", "access_key_secret": "key-secret",
		"AccessKeyId": "LTAI-id", "AccessKeySecret": "key-secret", "SecurityToken": "token",
		"external_id": "prometheus",
	},
	"cas-proxy": {"HTTPS_PROXY": "http://192.0.2.1:3128"},
	"cas-web":   {"web-config.yml": "{}", "other.yml": "{}"},
	"cas-tls":   {"tls.crt": "certificate", "tls.key": "key", "ca.crt": "authority"},
}

// TestEnvironment starts the exporter with the arguments, the environment and the
// files that each pod would have, and nothing else: it finds its settings good,
// and has the values that were asked for.
func TestEnvironment(t *testing.T) {
	exporter := filepath.Join(t.TempDir(), "aliyun_cas_exporter")
	if _, stderr, err := run(t, "go", "build", "-C", root, "-buildvcs=false", "-o", exporter, "."); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	want := map[string][]string{
		"default":      {"# credentials come from: file", "CAS_WEB_LISTEN_ADDRESS=:10077", "CAS_TOTAL_SHARDS=1"},
		"demo":         {"CAS_DISCOVERY=true"},
		"env":          {"# credentials come from: env"},
		"files":        {"# credentials come from: file", "CAS_SECURITY_TOKEN_FILE=/etc/aliyun-cas-exporter/credentials/security_token"},
		"rrsa":         {"# credentials come from: oidc"},
		"rrsa-webhook": {"# credentials come from: oidc"},
		"ecs":          {"# credentials come from: ecs_ram_role"},
		"tls":          {"CAS_WEB_CONFIG_FILE=/etc/aliyun-cas-exporter/web/web-config.yml"},
		"password":     {"CAS_WEB_CONFIG_FILE=/etc/aliyun-cas-exporter/web/web-config.yml"},
		"replicas":     {"CAS_REQUESTS_PER_SECOND=2.5", "CAS_SHARD=0", "CAS_TOTAL_SHARDS=1"},
		"sharded":      {"CAS_TOTAL_SHARDS=3"},
		"public":       {"CAS_REGION_ID=cn-hangzhou,ap-southeast-1"},
		"accounts": {
			"CAS_ACCOUNTS=prod:acs:ram::111111111111:role/cas-exporter,staging:acs:ram::222222222222:role/cas-exporter",
			"CAS_JOB_IDS=prod/8888,staging/9999", "CAS_DISCOVERY=false", "CAS_ROLE_EXTERNAL_ID=[hidden]",
		},
		"everything": {
			"CAS_JOB_IDS=12345678,1000000", "CAS_MAX_WORKERS_PER_JOB=1000000", "CAS_FAILED_WORKER_LIMIT=0", "CAS_REQUESTS_PER_SECOND=0.5",
			"CAS_DISCOVERY_STATUSES=processing,error", "CAS_STATUSES=success,error,rollback_error", "CAS_DISCOVERY_MAX_AGE=720h", "CAS_LOG_LEVEL=debug",
			"CAS_WEB_CONFIG_FILE=/etc/aliyun-cas-exporter/web/other.yml", "CAS_WEB_ENABLE_PPROF=true", "CAS_TOTAL_SHARDS=5",
		},
	}
	for _, variant := range variants(t) {
		if len(want[variant]) == 0 {
			t.Errorf("nothing is expected of %s", variant)
		}
		list := render(t, variant)
		w := list.workload(t)
		for number := range w.Replicas {
			p := &pod{root: t.TempDir(), name: w.Name + "-x7k2p", env: map[string]string{}}
			lines := want[variant]
			if w.Kind == "StatefulSet" {
				p.name = w.Name + "-" + strconv.Itoa(number)
				lines = append(slices.Clone(lines), "CAS_SHARD="+strconv.Itoa(number))
			}
			p.start(t, list)
			got := p.checkConfig(t, exporter, w.container(t).Args)
			for _, line := range lines {
				if !slices.Contains(strings.Split(got, "\n"), line) {
					t.Errorf("%s, pod %s: no line %q", variant, p.name, line)
				}
			}
			if strings.Contains(got, "warning") {
				t.Errorf("%s, pod %s: the exporter warns:\n%s", variant, p.name, got)
			}
		}
	}
}

// pod plays the kubelet.
type pod struct {
	root, name string // the folder that stands for the container's root
	env        map[string]string
}

// start makes the environment and the files of a pod.
func (p *pod) start(t *testing.T, list objects) {
	t.Helper()
	w := list.workload(t)
	c := w.container(t)
	maps.Copy(p.env, settings(t, list))
	for _, from := range c.EnvFrom[1:] {
		maps.Copy(p.env, secrets[from.SecretRef.Name])
	}
	for _, e := range c.Env {
		p.env[e.Name] = p.value(t, e)
	}
	for _, mount := range c.VolumeMounts {
		i := slices.IndexFunc(w.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		if i < 0 {
			t.Fatalf("there is no volume %s", mount.Name)
		}
		for path, text := range files(t, w.Template.Spec.Volumes[i]) {
			p.write(t, filepath.Join(mount.MountPath, path), text)
		}
	}
	p.webhook(t, one[*corev1.ServiceAccount](t, list))
}

// webhook plays ack-pod-identity-webhook.
func (p *pod) webhook(t *testing.T, account *corev1.ServiceAccount) {
	t.Helper()
	role := account.Annotations["pod-identity.alibabacloud.com/role-name"]
	if role == "" {
		return
	}
	const token = "/var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token"
	p.write(t, token, "token")
	p.env["ALIBABA_CLOUD_ROLE_ARN"] = "acs:ram::123456789012:role/" + role
	p.env["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"] = "acs:ram::123456789012:oidc-provider/ack-rrsa-c0123"
	p.env["ALIBABA_CLOUD_OIDC_TOKEN_FILE"] = token
}

func (p *pod) write(t *testing.T, path, text string) {
	t.Helper()
	path = filepath.Join(p.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *pod) value(t *testing.T, e corev1.EnvVar) string {
	t.Helper()
	from := e.ValueFrom
	switch {
	case from == nil:
		return e.Value
	case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.name":
		return p.name
	case from.SecretKeyRef != nil:
		value, ok := secrets[from.SecretKeyRef.Name][from.SecretKeyRef.Key]
		if !ok {
			t.Errorf("%s: there is no key %s in a Secret %s", e.Name, from.SecretKeyRef.Key, from.SecretKeyRef.Name)
		}
		return value
	default:
		t.Fatalf("%s: unexpected source", e.Name)
		return ""
	}
}

// files returns what a volume holds.
func files(t *testing.T, v corev1.Volume) map[string]string {
	t.Helper()
	switch {
	case v.Secret != nil:
		content := map[string]string{}
		for _, item := range v.Secret.Items {
			value, ok := secrets[v.Secret.SecretName][item.Key]
			if !ok {
				t.Errorf("there is no key %s in a Secret %s", item.Key, v.Secret.SecretName)
			}
			content[item.Path] = value
		}
		return content
	case v.Projected != nil:
		content := map[string]string{}
		for _, source := range v.Projected.Sources {
			if source.Secret != nil {
				maps.Copy(content, secrets[source.Secret.Name])
			} else {
				content[source.ServiceAccountToken.Path] = "token-for-" + source.ServiceAccountToken.Audience
			}
		}
		return content
	default:
		return nil // an operator's
	}
}

// checkConfig lets the exporter check its settings. Paths lead into the pod's
// root, and out of it again in what is returned.
func (p *pod) checkConfig(t *testing.T, exporter string, args []string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), exporter, append(slices.Clone(args), "--check-config")...)
	cmd.Env = []string{}
	for name, value := range p.env {
		if strings.HasPrefix(value, "/") {
			value = p.root + value
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("pod %s: %v\n%s", p.name, err, out)
	}
	for name, value := range p.env {
		_, statErr := os.Stat(p.root + value)
		if strings.HasSuffix(name, "_FILE") && statErr != nil {
			t.Errorf("pod %s: %s: %v", p.name, name, statErr)
		}
	}
	return strings.ReplaceAll(string(out), p.root, "")
}
