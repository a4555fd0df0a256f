package chart_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// effects are values that go into an object as they are: what is set, in which
// kind of object, and what it has then.
func effects() map[string][3]string {
	const pod = "spec: {template: {spec: {"
	return map[string][3]string{
		"commonLabels":              {"commonLabels: {team: a}", "Deployment", "{metadata: {labels: {team: a}}, spec: {template: {metadata: {labels: {team: a}}}}}"},
		"commonLabels of a Service": {"commonLabels: {team: a}", "Service", "metadata: {labels: {team: a}}"},
		"annotations":               {"annotations: {a: b}", "Deployment", "metadata: {annotations: {a: b}}"},
		"namespaceOverride":         {"namespaceOverride: other", "Deployment", "metadata: {namespace: other}"},
		"strategy":                  {"strategy: {type: Recreate}", "Deployment", "spec: {strategy: {type: Recreate}}"},
		"strategy of shards": {
			"{sharding: {enabled: true}, strategy: {rollingUpdate: {maxUnavailable: 2}}}", "StatefulSet",
			"spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 2}}}",
		},
		"revisionHistoryLimit": {"revisionHistoryLimit: 0", "Deployment", "spec: {revisionHistoryLimit: 0}"},
		"dnsPolicy":            {"dnsPolicy: Default", "Deployment", pod + "dnsPolicy: Default}}}"},
		"dnsConfig":            {"dnsConfig: {nameservers: [192.0.2.1]}", "Deployment", pod + "dnsConfig: {nameservers: [192.0.2.1]}}}}"},
		"hostAliases": {
			"hostAliases: [{ip: 192.0.2.1, hostnames: [cas.aliyuncs.com]}]", "Deployment",
			pod + "hostAliases: [{ip: 192.0.2.1, hostnames: [cas.aliyuncs.com]}]}}}",
		},
		"initContainers":  {"initContainers: [{name: first, image: a}]", "Deployment", pod + "initContainers: [{name: first, image: a}]}}}"},
		"extraContainers": {"extraContainers: [{name: second, image: a}]", "Deployment", pod + "containers: [{name: exporter}, {name: second, image: a}]}}}"},
		"envFrom": {
			"envFrom: [{secretRef: {name: a}}]", "Deployment",
			pod + "containers: [{envFrom: [{configMapRef: {name: cas-aliyun-cas-exporter}}, {secretRef: {name: a}}]}]}}}",
		},
		"livenessProbe": {
			"livenessProbe: {periodSeconds: 30, failureThreshold: 5}", "Deployment",
			pod + "containers: [{livenessProbe: {periodSeconds: 30, failureThreshold: 5, timeoutSeconds: 5, httpGet: {path: /-/healthy}}}]}}}",
		},
		"readinessProbe":  {"readinessProbe: {tcpSocket: {port: http}}", "Deployment", pod + "containers: [{readinessProbe: {periodSeconds: 5, tcpSocket: {port: http}}}]}}}"},
		"startupProbe":    {"startupProbe: {tcpSocket: {port: http}}", "Deployment", pod + "containers: [{startupProbe: {tcpSocket: {port: http}}}]}}}"},
		"service.type":    {"service: {type: NodePort}", "Service", "spec: {type: NodePort}"},
		"service.labels":  {"service: {labels: {a: b}}", "Service", "metadata: {labels: {a: b}}"},
		"extraManifests":  {"extraManifests: [{apiVersion: v1, kind: Secret, metadata: {name: extra}}]", "Secret", "metadata: {name: extra}"},
		"a text manifest": {`extraManifests: ["{apiVersion: v1, kind: Secret, metadata: {name: '{{ .Release.Name }}-a'}}"]`, "Secret", "metadata: {name: cas-a}"},
		"ingress": {
			"ingress: {enabled: true, className: nginx, annotations: {a: b}, hosts: [cas.example.com], tls: [{hosts: [cas.example.com], secretName: tls}]}", "Ingress",
			`{metadata: {annotations: {a: b}}, spec: {ingressClassName: nginx, tls: [{hosts: [cas.example.com], secretName: tls}], rules: [{host: cas.example.com,
			http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: cas-aliyun-cas-exporter, port: {name: http}}}}]}}]}}`,
		},
		"httpRoute": {
			"{service: {port: 80}, httpRoute: {enabled: true, annotations: {a: b}, parentRefs: [{name: gateway}], hostnames: [cas.example.com]}}", "HTTPRoute",
			`{metadata: {annotations: {a: b}}, spec: {parentRefs: [{name: gateway}], hostnames: [cas.example.com],
			rules: [{backendRefs: [{name: cas-aliyun-cas-exporter, port: 80}]}]}}`,
		},
		"monitor": {
			"monitor: {kind: ServiceMonitor, namespace: other, jobLabel: a, targetLabels: [b], honorLabels: true, proxyUrl: 'http://p:1', authorization: {credentials: {name: s, key: k}}}",
			"ServiceMonitor",
			`{metadata: {namespace: other}, spec: {namespaceSelector: {matchNames: [monitoring]}, jobLabel: a, targetLabels: [b], sampleLimit: 500000,
			endpoints: [{honorLabels: true, proxyUrl: 'http://p:1', authorization: {credentials: {name: s, key: k}}}]}}`,
		},
		"monitor of pods": {
			"monitor: {kind: PodMonitor, namespace: other, targetLabels: [b], sampleLimit: 7}", "PodMonitor",
			"{metadata: {namespace: other}, spec: {podTargetLabels: [b], sampleLimit: 7}}",
		},
		"probes": {
			"{probes: {enabled: true, namespace: other, interval: 2m, prober: 'b:1'}, monitor: {basicAuth: {username: {name: s, key: k}}}}", "ScrapeConfig",
			`{metadata: {namespace: other}, spec: {jobName: served-certificates, metricsPath: /probe, params: {module: [tls_served]}, scrapeInterval: 2m,
			httpSDConfigs: [{url: 'http://cas-aliyun-cas-exporter.monitoring.svc:10077/probe-targets', basicAuth: {username: {name: s, key: k}}}],
			relabelings: [{regex: '__meta_aliyun_cas_(.+)', action: labelmap}, {sourceLabels: [__address__], targetLabel: instance},
			{sourceLabels: [__address__], targetLabel: __param_target}, {targetLabel: __address__, replacement: 'b:1'}]}}`,
		},
		"probes of shards": {
			"{probes: {enabled: true}, sharding: {enabled: true}, replicas: 2, web: {secretName: a, tls: true}}", "ScrapeConfig",
			`{spec: {httpSDConfigs: [{url: 'https://cas-aliyun-cas-exporter-0.cas-aliyun-cas-exporter-shards.monitoring.svc:10077/probe-targets'},
			{url: 'https://cas-aliyun-cas-exporter-1.cas-aliyun-cas-exporter-shards.monitoring.svc:10077/probe-targets'}]}}`,
		},
		"targets of probes":        {"probes: {enabled: true}", "ConfigMap", `data: {CAS_PROBE_TARGETS_PER_JOB: "1000"}`},
		"more targets":             {"{probes: {enabled: true}, settings: {CAS_PROBE_TARGETS_PER_JOB: 7}}", "ConfigMap", `data: {CAS_PROBE_TARGETS_PER_JOB: "7"}`},
		"prometheusRule.namespace": {"prometheusRule: {enabled: true, namespace: other}", "PrometheusRule", "metadata: {namespace: other}"},
		"alertmanagerConfig":       {"alertmanagerConfig: {enabled: true, labels: {a: b}}", "AlertmanagerConfig", "metadata: {labels: {a: b}}"},
	}
}

// TestEffects checks that each of these values does what it says, and that
// nothing has it without the value.
func TestEffects(t *testing.T) {
	for name, effect := range effects() {
		file := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(file, []byte(effect[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		var want any
		if err := yaml.Unmarshal([]byte(effect[2]), &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := kind(t, render(t, "default", "--values", file), effect[1]); !includes(got, want) {
			t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(want, got))
		}
		if got := kind(t, render(t, "default"), effect[1]); includes(got, want) {
			t.Errorf("%s: the default has it too", name)
		}
	}
}

// kind returns the only object of a kind as JSON has it, nil if there is none.
func kind(t *testing.T, list objects, name string) (found any) {
	t.Helper()
	for _, object := range list {
		if object.GetObjectKind().GroupVersionKind().Kind != name {
			continue
		}
		if found != nil {
			t.Errorf("there are two objects %s", name)
		}
		text, err := json.Marshal(object)
		if err == nil {
			err = json.Unmarshal(text, &found)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// includes tells whether got has every field of want.
func includes(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		for name, field := range want {
			ok = ok && includes(fields[name], field)
		}
		return ok
	case []any:
		items, ok := got.([]any)
		ok = ok && len(items) == len(want)
		for i := range want {
			ok = ok && includes(items[i], want[i])
		}
		return ok
	default:
		return got == want
	}
}

// TestMemoryLimit checks that Go's limit leaves room below the container's.
func TestMemoryLimit(t *testing.T) {
	for limit, want := range map[string]string{
		"256Mi": "241591910", "1Gi": "966367641", "0.5Gi": "483183820", "200M": "180000000", "1000000": "900000", "100e6": "", "null": "",
	} {
		got := ""
		for _, e := range render(t, "default", "--set", "resources.limits.memory="+limit).workload(t).container(t).Env {
			if e.Name == "GOMEMLIMIT" {
				got = e.Value
			}
		}
		if got != want {
			t.Errorf("limit %s: GOMEMLIMIT is %q, want %q", limit, got, want)
		}
	}
}

// TestRunbookURL checks where the alerts send people.
func TestRunbookURL(t *testing.T) {
	const service = "http://cas-aliyun-cas-exporter.monitoring.svc:10077"
	for values, want := range map[string]string{
		"demo=true":                             service,
		"service.port=80":                       "http://cas-aliyun-cas-exporter.monitoring.svc:80",
		"service.port=80,sharding.enabled=true": "http://cas-aliyun-cas-exporter-shards.monitoring.svc:10077",
		"namespaceOverride=other":               "http://cas-aliyun-cas-exporter.other.svc:10077",
		"ingress.enabled=true,ingress.hosts={a.example.com,b.example.com}":                             "http://a.example.com",
		"ingress.enabled=true,ingress.hosts={a.example.com},ingress.tls[0].secretName=x":               "https://a.example.com",
		"httpRoute.enabled=true,httpRoute.parentRefs[0].name=x,httpRoute.hostnames={a.example.com}":    "https://a.example.com",
		"httpRoute.enabled=true,httpRoute.parentRefs[0].name=x":                                        service,
		"ingress.enabled=true,ingress.hosts={a.example.com},prometheusRule.runbookUrl=https://b.c/cas": "https://b.c/cas",
	} {
		text := template(t, "default", "--set", "prometheusRule.enabled=true,"+values)
		if !strings.Contains(text, "runbook_url: "+want+"/runbooks#") || strings.Contains(text, "localhost") {
			t.Errorf("%s: runbooks are not at %s", values, want)
		}
	}
}
