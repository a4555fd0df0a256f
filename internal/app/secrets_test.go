package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// A key that is told from everything else, with the characters that need escaping.
const (
	canaryID     = "STS.CANARYid"
	canarySecret = "CANARYsecret+/="
	canaryToken  = "CANARY+token/" + "0123456789abcdef=="
)

// private are texts that must not come out of the program: secrets, signatures, and
// what the API tells about people.
func private() []string {
	return []string{
		"CANARY", canaryToken[7:], "Signature=", "Signature%3D", // of the key
		"Contact Canary", "canary@contacts.example", "1000000000000001", "someone@example.com", // of contacts, the user, who was denied
	}
}

// nothingPrivate fails if a text that came out of the program holds any of them.
func nothingPrivate(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range private() {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s shows %q: ...%s...", where, secret, text[max(0, i-200):min(len(text), i+200)])
		}
	}
}

// secretSources are environments that hold the key in different ways.
func secretSources(t *testing.T) []map[string]string {
	t.Helper()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	uri := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{
			"AccessKeyId": canaryID, "AccessKeySecret": canarySecret, "SecurityToken": canaryToken, "Expiration": time.Now().Add(time.Hour).Format(time.RFC3339),
		})
	}))
	t.Cleanup(uri.Close)
	profile, _ := json.Marshal(map[string]any{"current": "x", "profiles": []any{map[string]string{
		"name": "x", "mode": "StsToken", "access_key_id": canaryID, "access_key_secret": canarySecret, "sts_token": canaryToken,
	}}})
	file("config.json", string(profile))
	if err := os.Mkdir(filepath.Join(dir, ".aliyun"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "config.json"), filepath.Join(dir, ".aliyun", "config.json")); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"HOME": dir, "HTTPS_PROXY": "http://user:CANARY@127.0.0.1:1", "CAS_ROLE_EXTERNAL_ID": "CANARY",
		"ALIBABA_CLOUD_ACCESS_KEY_ID": canaryID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": canarySecret, "ALIBABA_CLOUD_SECURITY_TOKEN": canaryToken,
		"CAS_ACCESS_KEY_ID_FILE": file("id", canaryID), "CAS_ACCESS_KEY_SECRET_FILE": file("secret", canarySecret), "CAS_SECURITY_TOKEN_FILE": file("token", canaryToken),
		"ALIBABA_CLOUD_CREDENTIALS_URI": strings.Replace(uri.URL, "http://", "http://user:CANARY@", 1) + "/?token=CANARY",
	}
	var sources []map[string]string
	for _, source := range []string{"env", "file", "uri", "profile"} {
		environment := maps.Clone(all)
		environment["CAS_CREDENTIALS"] = source
		sources = append(sources, environment)
	}
	return sources
}

// secretEstate is a CAS that takes the key, with a running job of two pages and a
// finished one.
func secretEstate() *simulator.Simulator {
	sim := simulator.New(simulator.Options{AccessKeyID: canaryID, AccessKeySecret: canarySecret, SecurityToken: canaryToken})
	at := time.Now().Add(-time.Hour)
	workers := make([]simulator.Worker, 60)
	for i := range workers {
		workers[i] = simulator.Worker{ID: int64(i + 1), Status: []string{"success", "error"}[i%2], CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: at}
	}
	certificates := []simulator.Certificate{{ID: 7, Name: "wild", CommonName: "*.example.com", NotAfter: at.Add(24 * time.Hour)}}
	for id, status := range map[int64]string{8888: "processing", 8889: "success"} {
		sim.PutJob(simulator.Job{ID: id, Name: "job", Status: status, JobType: "user", Created: at, Modified: at, Certificates: certificates}, workers)
	}
	return sim
}

// echoes are servers that repeat what they were sent.
func echoes() map[string]http.HandlerFunc {
	everything := func(r *http.Request) string {
		_ = r.ParseForm()
		return fmt.Sprintf("%s %v %v %s", r.URL, r.Form, r.Header, simulator.StringToSign(r.Method, r.Form))
	}
	refusal := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			said := everything(r)
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"Code": code + said, "Message": said, "RequestId": said, "AccessDeniedDetail": map[string]string{"AuthPrincipalDisplayName": said}})
		}
	}
	return map[string]http.HandlerFunc{
		"echo: signature":  refusal(400, "SignatureDoesNotMatch"),
		"echo: denied":     refusal(403, "Forbidden.RAM"),
		"echo: failed":     refusal(500, "InternalError"),
		"echo: status 200": refusal(200, "Throttling.User"),
		"echo: a page": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, "<pre>", everything(r))
		},
		"echo: a redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/?"+r.URL.RawQuery)
			w.WriteHeader(http.StatusFound)
		},
		"echo: no JSON": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, everything(r)) },
		"echo: as Total": func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"Total": everything(r), "ShowSize": everything(r), "Data": []any{map[string]string{"Id": everything(r)}}})
		},
	}
}

// emitted serves until the first round has ended, or the API has throttled a request,
// for which the program may wait long. It returns all that came out.
func emitted(t *testing.T) map[string]string {
	t.Helper()
	s := serve(t)
	root := "http://" + s.address(t)
	texts := map[string]string{}
	throttled := regexp.MustCompile(`api_request_failures_total\{.*reason="throttled"\} [1-9]`)
	s.until(t, "the first round has ended", func() bool {
		_, status := get(t.Context(), root+"/-/ready")
		if status == http.StatusOK {
			return true
		}
		metrics, _ := get(t.Context(), root+"/metrics")
		return throttled.MatchString(metrics)
	})
	for _, path := range []string{"/metrics", "/", "/probe-targets", "/runbooks", "/-/healthy", "/nowhere", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2"} {
		texts[path], _ = get(t.Context(), root+path)
	}
	s.stop()
	if <-s.ended; s.status != exitOK {
		t.Errorf("status %d, want %d", s.status, exitOK)
	}
	texts["standard output"], texts["the log"] = s.stdout.String(), s.log.String()
	if !strings.Contains(texts["/metrics"], "aliyun_cas_poll_failures_total") || !strings.Contains(texts["the log"], "exporter stopped") {
		t.Errorf("nothing to look at: %d bytes of metrics, log:\n%s", len(texts["/metrics"]), texts["the log"])
	}
	return texts
}

func get(ctx context.Context, url string) (body string, status int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", 0
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return "", 0
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text), resp.StatusCode
}

// TestNoSecretComesOut runs the whole program against each fault of the simulator
// and servers that repeat what they were sent, and reads all that it emits.
func TestNoSecretComesOut(t *testing.T) {
	heavy(t)
	sources, echoes := secretSources(t), echoes()
	faults := append([]string{"none"}, simulator.FaultNames()...)
	for name := range echoes {
		faults = append(faults, name)
	}
	slices.Sort(faults)
	calls := map[string]int{}
	for i, fault := range faults {
		t.Run(fault, func(t *testing.T) {
			sim := secretEstate()
			switch echo, isEcho := echoes[fault]; {
			case isEcho:
				sim.InjectHandler(echo, simulator.Match{})
			case fault != "none":
				if err := sim.Inject(fault, simulator.Match{}); err != nil {
					t.Fatal(err)
				}
			}
			api := httptest.NewServer(sim)
			defer api.Close()
			patience := "15s"
			if endless := func(prefix string) bool { return strings.HasPrefix(fault, prefix) }; slices.ContainsFunc([]string{"slow-", "endless-", "oversized-", "gzip-bomb"}, endless) {
				patience = "100ms"
			}
			more := map[string]string{
				"CAS_REQUEST_TIMEOUT": patience, "CAS_MAX_ATTEMPTS": "1", "CAS_WEB_ENABLE_PPROF": "true", "CAS_WEB_LISTEN_ADDRESS": anyPort,
				"CAS_LOG_LEVEL": "debug", "CAS_LOG_FORMAT": []string{"logfmt", "json"}[i%2], "CAS_JOB_IDS": "8888,9999", "CAS_DISCOVERY": strconv.FormatBool(i%3 != 0),
			}
			maps.Copy(more, sources[i%len(sources)])
			environment(t, api.URL, more)
			texts := emitted(t)
			for where, text := range texts {
				nothingPrivate(t, where, text)
			}
			source := more["CAS_CREDENTIALS"]
			if log := texts["the log"]; !strings.Contains(log, "credentials="+source) && !strings.Contains(log, `"credentials":"`+source+`"`) {
				t.Errorf("the log does not say that credentials come from %s:\n%s", source, log)
			}
			for action, n := range sim.Calls() {
				calls[action] += n
			}
		})
	}
	t.Logf("%d faults, %d sources of credentials, calls: %v", len(faults), len(sources), calls)
	for _, action := range []string{"ListWorkerResource", "ListDeploymentJob", "DescribeDeploymentJob", "DescribeDeploymentJobStatus", "ListDeploymentJobCert"} {
		if calls[action] < 30 {
			t.Errorf("%s was called %d times only", action, calls[action])
		}
	}
}

// TestModesShowNoSecret runs the modes that print and end, with good settings and
// with bad ones.
func TestModesShowNoSecret(t *testing.T) {
	api := httptest.NewServer(secretEstate())
	defer api.Close()
	for _, source := range secretSources(t) {
		for _, mode := range []string{"--check-config", "--help", "--version", "--once", "--check-api"} {
			environment(t, api.URL, source)
			t.Setenv("CAS_LOG_LEVEL", "debug")
			status, stdout, stderr := program(t.Context(), mode)
			if status != exitOK || stdout == "" {
				t.Errorf("%s with %s: status %d, printed %d bytes\n%s", mode, source["CAS_CREDENTIALS"], status, len(stdout), stderr)
			}
			nothingPrivate(t, mode, stdout+stderr)
		}
	}
	bad := secretSources(t)[0]
	maps.Copy(bad, map[string]string{
		"CAS_CREDENTIALS": "CANARY", "CAS_ENDPOINT": "https://user:CANARY@cas.aliyuncs.com", "CAS_ROLE_ARN": "CANARY", "CAS_ACCESS_KEY_ID_FILE": "CANARY",
		"CAS_ACCESS_KEY_SECRET": "CANARY", "CAS_WEB_CONFIG_FILE": "CANARY", "ALIBABA_CLOUD_CREDENTIALS_URI": "CANARY", "ALIBABA_CLOUD_STS_REGION": "CANARY",
	})
	environment(t, api.URL, bad)
	status, stdout, stderr := program(t.Context(), "--once", "CANARY")
	if status != exitSettings || stdout != "" || strings.Count(stderr, "\n") < 4 {
		t.Errorf("status %d, want %d and a report of more than three lines:\n%s%s", status, exitSettings, stdout, stderr)
	}
	nothingPrivate(t, "the report of bad settings", stderr)
}
