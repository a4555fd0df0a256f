package chart_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// TestRestricted checks every pod by the restricted Pod Security Standard, as
// the API server itself applies it.
func TestRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, variant := range variants(t) {
		pod := render(t, variant).workload(t).Template
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(
			api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec))
		if !result.Allowed {
			t.Errorf("%s: %s", variant, result.ForbiddenDetail())
		}
	}
}

// TestOpenShift checks that a cluster may choose the users and groups.
func TestOpenShift(t *testing.T) {
	values := "podSecurityContext.runAsUser=null,podSecurityContext.runAsGroup=null,podSecurityContext.fsGroup=null"
	got := render(t, "default", "--set", values).workload(t).Template.Spec.SecurityContext
	if got.RunAsUser != nil || got.RunAsGroup != nil || got.FSGroup != nil || !deref(got.RunAsNonRoot, false) {
		t.Errorf("got %v, want no user and no group but never root", got)
	}
}

// TestHardening checks what that standard does not ask for.
func TestHardening(t *testing.T) {
	for _, variant := range variants(t) {
		list := render(t, variant)
		w := list.workload(t)
		pod, c := w.Template.Spec, w.container(t)
		requests, limits := c.Resources.Requests, c.Resources.Limits
		for what, ok := range map[string]bool{
			"the pod mounts a token":              !deref(pod.AutomountServiceAccountToken, true),
			"the account mounts a token":          !deref(one[*corev1.ServiceAccount](t, list).AutomountServiceAccountToken, true),
			"Services become variables":           !deref(pod.EnableServiceLinks, true),
			"the file system is writable":         deref(c.SecurityContext.ReadOnlyRootFilesystem, false),
			"no user is named":                    deref(pod.SecurityContext.RunAsUser, 0) > 0 && deref(pod.SecurityContext.RunAsGroup, 0) > 0,
			"mounted Secrets cannot be read":      deref(pod.SecurityContext.FSGroup, 0) > 0,
			"a request is missing":                !requests.Cpu().IsZero() && !requests.Memory().IsZero(),
			"memory is not limited":               !limits.Memory().IsZero(),
			"its end may take longer than 10 s":   deref(pod.TerminationGracePeriodSeconds, 30) <= 10,
			"a probe is missing":                  c.LivenessProbe != nil && c.ReadinessProbe != nil,
			"a volume is mounted to be written":   !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return !m.ReadOnly }),
			"a Secret is readable for everyone":   !slices.ContainsFunc(pod.Volumes, openToAll),
			"pods are not spread":                 len(pod.TopologySpreadConstraints) > 0,
			"a change of settings changes no pod": w.Template.Annotations["checksum/config"] != "",
		} {
			if !ok {
				t.Errorf("%s: %s", variant, what)
			}
		}
	}
}

func openToAll(v corev1.Volume) bool {
	switch {
	case v.Secret != nil:
		return deref(v.Secret.DefaultMode, 0o644)&0o007 != 0
	case v.Projected != nil && v.Projected.Sources[0].Secret != nil:
		return deref(v.Projected.DefaultMode, 0o644)&0o007 != 0
	default:
		return false // the kubelet gives a projected token to the pod's user alone
	}
}

func deref[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}

// TestWiring checks that whatever selects pods selects these, that ports are the
// exporter's, and that probes and scrapes speak its protocol.
func TestWiring(t *testing.T) {
	for _, variant := range variants(t) {
		t.Run(variant, func(t *testing.T) {
			list := render(t, variant)
			w := list.workload(t)
			selects := func(what string, selector *metav1.LabelSelector, of map[string]string) {
				t.Helper()
				s, err := metav1.LabelSelectorAsSelector(selector)
				if err != nil || s.Empty() || !s.Matches(labels.Set(of)) {
					t.Errorf("%s selects %v, which %v is not: %v", what, s, of, err)
				}
			}
			pods := w.Template.Labels
			service := one[*corev1.Service](t, list)
			selects(w.Kind, w.Selector, pods)
			selects("Service", &metav1.LabelSelector{MatchLabels: service.Spec.Selector}, pods)
			for _, b := range of[*policyv1.PodDisruptionBudget](list) {
				selects("PodDisruptionBudget", b.Spec.Selector, pods)
			}
			for _, p := range of[*networkingv1.NetworkPolicy](list) {
				selects("NetworkPolicy", &p.Spec.PodSelector, pods)
			}
			for _, s := range w.Template.Spec.TopologySpreadConstraints {
				selects("the spread over "+s.TopologyKey, s.LabelSelector, pods)
			}
			for _, m := range of[*monitoringv1.ServiceMonitor](list) {
				selects("ServiceMonitor", &m.Spec.Selector, service.Labels)
				e := m.Spec.Endpoints[0]
				checkScrape(t, variant, e.Port, e.Scheme, e.Validate())
			}
			for _, m := range of[*monitoringv1.PodMonitor](list) {
				selects("PodMonitor", &m.Spec.Selector, pods)
				e := m.Spec.PodMetricsEndpoints[0]
				checkScrape(t, variant, deref(e.Port, ""), e.Scheme, e.Validate())
			}
			checkPorts(t, list, service)
			checkProbes(t, variant, w.container(t))
		})
	}
}

// scheme returns what a variant's web server speaks.
func scheme(variant string) string {
	if slices.Contains([]string{"tls", "password", "everything"}, variant) {
		return "https"
	}
	return "http"
}

func checkScrape(t *testing.T, variant, port string, of *monitoringv1.Scheme, err error) {
	t.Helper()
	if port != "http" || string(deref(of, "")) != scheme(variant) || err != nil {
		t.Errorf("scrapes port %q by %q, %v, want http by %q", port, deref(of, ""), err, scheme(variant))
	}
}

func checkPorts(t *testing.T, list objects, service *corev1.Service) {
	t.Helper()
	w := list.workload(t)
	c := w.container(t)
	if len(c.Ports) != 1 || c.Ports[0].Name != "http" || len(service.Spec.Ports) != 1 || service.Spec.Ports[0].TargetPort.String() != "http" {
		t.Errorf("the container's ports are %v and the Service's %v, want one called http", c.Ports, service.Spec.Ports)
	}
	listens := settings(t, list)["CAS_WEB_LISTEN_ADDRESS"]
	if want := ":" + strconv.Itoa(int(c.Ports[0].ContainerPort)); listens != want {
		t.Errorf("the exporter listens on %s, want %s", listens, want)
	}
	headless := service.Spec.ClusterIP == corev1.ClusterIPNone
	if headless != (w.Kind == "StatefulSet") {
		t.Errorf("the Service of a %s is headless: %t", w.Kind, headless)
	}
	for _, s := range of[*appsv1.StatefulSet](list) {
		if s.Spec.ServiceName != service.Name {
			t.Errorf("serviceName %q, want %q", s.Spec.ServiceName, service.Name)
		}
	}
}

// settings returns the exporter's settings apart from secrets.
func settings(t *testing.T, list objects) map[string]string {
	t.Helper()
	name := list.workload(t).container(t).EnvFrom[0].ConfigMapRef.Name
	for _, m := range of[*corev1.ConfigMap](list) {
		if m.Name == name {
			return m.Data
		}
	}
	t.Fatalf("there is no ConfigMap %s", name)
	return nil
}

func checkProbes(t *testing.T, variant string, c corev1.Container) {
	t.Helper()
	for path, probe := range map[string]*corev1.Probe{"/-/healthy": c.LivenessProbe, "/-/ready": c.ReadinessProbe} {
		get, connect := probe.HTTPGet, probe.TCPSocket
		// The kubelet has no password.
		if variant == "password" || variant == "everything" {
			if get != nil || connect == nil || connect.Port.String() != "http" {
				t.Errorf("%s is probed by %v, want a connection to http", path, probe)
			}
		} else if get == nil || get.Path != path || get.Port.String() != "http" || !strings.EqualFold(string(get.Scheme), scheme(variant)) {
			t.Errorf("%s is probed by %v, want %s", path, probe, scheme(variant))
		}
	}
}

// TestRollout checks how pods are replaced: without a gap, and without more calls
// than the replicas make at all times, if there are several.
func TestRollout(t *testing.T) {
	for replicas, want := range map[string]string{"1": "1 more, 0 fewer", "2": "0 more, 1 fewer", "3": "0 more, 1 fewer"} {
		rolling := one[*appsv1.Deployment](t, render(t, "default", "--set", "replicas="+replicas)).Spec.Strategy.RollingUpdate
		if got := rolling.MaxSurge.String() + " more, " + rolling.MaxUnavailable.String() + " fewer"; got != want {
			t.Errorf("%s replicas: got %s, want %s", replicas, got, want)
		}
	}
	list := render(t, "sharded")
	if got := one[*appsv1.StatefulSet](t, list).Spec.PodManagementPolicy; got != appsv1.ParallelPodManagement {
		t.Errorf("shards start %s, want Parallel", got)
	}
	budget := one[*policyv1.PodDisruptionBudget](t, list).Spec
	if budget.MaxUnavailable.String() != "1" || deref(budget.UnhealthyPodEvictionPolicy, "") != policyv1.AlwaysAllow {
		t.Errorf("budget %v, want at most one pod unavailable, and eviction of those that are", budget)
	}
	for _, args := range [][]string{{"replicas=1"}, {"replicas=2", "podDisruptionBudget.enabled=false"}} {
		if got := of[*policyv1.PodDisruptionBudget](render(t, "default", "--set", strings.Join(args, ","))); len(got) > 0 {
			t.Errorf("%v: a budget, want none", args)
		}
	}
}

// TestNetworkPolicy checks who may talk to whom.
func TestNetworkPolicy(t *testing.T) {
	for variant, want := range map[string][]string{
		"ecs":        {"from app.kubernetes.io/name=prometheus: http/TCP", "to all: 53/UDP 53/TCP", "to all: 443/TCP", "to 100.100.100.200/32: 80/TCP"},
		"everything": {"from kubernetes.io/metadata.name=observability: http/TCP", "to all: 53/UDP 53/TCP", "to all: 443/TCP", "to 192.0.2.1/32: 3128/"},
	} {
		spec := one[*networkingv1.NetworkPolicy](t, render(t, variant)).Spec
		var got []string
		for _, rule := range spec.Ingress {
			got = append(got, "from "+peers(rule.From)+":"+ports(rule.Ports))
		}
		for _, rule := range spec.Egress {
			got = append(got, "to "+peers(rule.To)+":"+ports(rule.Ports))
		}
		if !slices.Equal(got, want) || len(spec.PolicyTypes) != 2 {
			t.Errorf("%s: got %q of types %v, want %q of both", variant, got, spec.PolicyTypes, want)
		}
	}
}

func peers(list []networkingv1.NetworkPolicyPeer) string {
	var all []string
	for _, p := range list {
		if p.IPBlock != nil {
			all = append(all, p.IPBlock.CIDR)
		}
		for _, s := range []*metav1.LabelSelector{p.PodSelector, p.NamespaceSelector} {
			if s != nil && len(s.MatchLabels) > 0 {
				all = append(all, metav1.FormatLabelSelector(s))
			}
		}
	}
	if len(all) == 0 {
		return "all"
	}
	return strings.Join(all, " ")
}

func ports(list []networkingv1.NetworkPolicyPort) string {
	all := ""
	for _, p := range list {
		all += " " + p.Port.String() + "/" + string(deref(p.Protocol, ""))
	}
	return all
}

// TestChecksum checks that pods are replaced when a setting changes, and only then.
func TestChecksum(t *testing.T) {
	sum := func(values string) string {
		t.Helper()
		return render(t, "default", "--set", values).workload(t).Template.Annotations["checksum/config"]
	}
	is := sum("replicas=1")
	for values, changes := range map[string]bool{
		"settings.CAS_POLL_INTERVAL=2m": true, "accounts.a=acs:ram::1:role/x": true, "credentials.source=ecs_ram_role": true,
		"replicas=2": false, "monitor.kind=PodMonitor": false, "prometheusRule.enabled=true": false,
	} {
		if got := sum(values) != is; got != changes {
			t.Errorf("%s changes the checksum: %t, want %t", values, got, changes)
		}
	}
}

// TestLabels checks that an operator's labels cannot take a pod from its workload.
func TestLabels(t *testing.T) {
	pod := render(t, "everything", "--set", `podLabels.app\.kubernetes\.io/name=other`).workload(t).Template
	if pod.Labels["app.kubernetes.io/name"] != "cas" || pod.Labels["example.com/team"] != "platform" {
		t.Errorf("got labels %v, want those of the selector and of the operator", pod.Labels)
	}
}

// TestImage checks the image's reference, and that pods run as the image's user.
func TestImage(t *testing.T) {
	version := regexp.MustCompile(`(?m)^appVersion: (.+)$`).FindStringSubmatch(read(t, chart+"/Chart.yaml"))[1]
	digest := "sha256:" + strings.Repeat("0", 64)
	for values, want := range map[string]string{
		"demo=true":       "aliyun_cas_exporter:" + version,
		"image.tag=1.2.3": "aliyun_cas_exporter:1.2.3",
		"image.tag=1.2.3,image.registry=registry.example.com":                              "registry.example.com/aliyun_cas_exporter:1.2.3",
		"image.tag=1.2.3,image.registry=a,global.imageRegistry=registry.example.com/":      "registry.example.com/aliyun_cas_exporter:1.2.3",
		"image.repository=registry.example.com/cas,image.tag=1.2.3,image.digest=" + digest: "registry.example.com/cas@" + digest,
	} {
		if got := render(t, "default", "--set", values).workload(t).container(t).Image; got != want {
			t.Errorf("%s: got image %s, want %s", values, got, want)
		}
	}
	context := render(t, "default").workload(t).Template.Spec.SecurityContext
	user := fmt.Sprintf("USER %d:%d\n", *context.RunAsUser, *context.RunAsGroup)
	if !strings.Contains(read(t, root+"/deploy/Dockerfile"), user) {
		t.Errorf("deploy/Dockerfile has no %q", user)
	}
}
