package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/internal/simulator"
)

// served returns the address of a simulator with jobs 8888 and, newer, 8889.
func served(t *testing.T) (*simulator.Simulator, string) {
	t.Helper()
	sim := simulator.New(simulator.Options{})
	for id := int64(8888); id < 8890; id++ {
		sim.PutJob(simulator.Job{ID: id, Status: "processing", Created: time.Unix(id, 0)}, []simulator.Worker{{ID: id, Status: "error", CloudProduct: "CDN"}})
	}
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	return sim, api.URL
}

// table returns the rows of what --check-api prints, columns by single spaces.
func table(t *testing.T, stdout string) (rows []string) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	if len(rows) == 0 || rows[0] != "ACCOUNT REGION ACTION JOB RESULT MISSING PERMISSION" {
		t.Fatalf("no table: %q", stdout)
	}
	return rows[1:]
}

// checkAPI runs the program as fast as it can, and leaves out that it warns of that.
func checkAPI(t *testing.T) (status int, stdout, stderr string) {
	t.Helper()
	const fast = "warning: CAS_REQUESTS_PER_SECOND: 1000 is more than the 10 that the API documents for all clients of an account\n"
	status, stdout, stderr = program(t.Context(), "--check-api")
	return status, stdout, strings.Replace(stderr, fast, "", 1)
}

// TestCheckAPI takes each permission away in turn.
func TestCheckAPI(t *testing.T) {
	for name, c := range map[string]struct {
		jobs    string // CAS_JOB_IDS
		actions []string
		job     string
	}{
		"discovery":  {"", []string{"ListDeploymentJob", "ListWorkerResource", "DescribeDeploymentJobStatus", "ListDeploymentJobCert"}, "8889"},
		"configured": {"8888", []string{"DescribeDeploymentJob", "ListWorkerResource", "DescribeDeploymentJobStatus", "ListDeploymentJobCert"}, "8888"},
	} {
		for _, refused := range append([]string{""}, "ListDeploymentJob", "DescribeDeploymentJob", "ListWorkerResource", "DescribeDeploymentJobStatus", "ListDeploymentJobCert") {
			t.Run(name+" "+refused, func(t *testing.T) {
				sim, address := served(t)
				environment(t, address, map[string]string{"CAS_JOB_IDS": c.jobs})
				if refused != "" {
					_ = sim.Inject("forbidden", simulator.Match{Action: refused})
				}
				wantStatus, wantErr := exitOK, ""
				var want []string
				for _, action := range c.actions {
					job, result := c.job, "ok -"
					switch {
					case action == "ListDeploymentJob" && action == refused:
						job, result = "-", "forbidden Forbidden.RAM yundun-cert:ListDeploymentJob"
					case action == "DescribeDeploymentJob" && action == refused:
						result = "forbidden Forbidden.RAM yundun-cert:DescribeDeployment, yundun-cert:DescribeDeploymentJob"
					case action == refused:
						result = "forbidden Forbidden.RAM yundun-cert:" + action
					case refused == "ListDeploymentJob" && name == "discovery":
						job, result = "-", "not tried: no job is configured, and none was listed -"
					case action == "ListDeploymentJob":
						job = "-"
					}
					want = append(want, fmt.Sprintf("- cn-hangzhou %s %s %s", action, job, result))
					if action == refused {
						wantStatus, wantErr = exitFailed, action+": Forbidden.RAM: "
					}
				}
				status, stdout, stderr := checkAPI(t)
				if diff := cmp.Diff(want, table(t, stdout)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if status != wantStatus || !strings.HasPrefix(stderr, wantErr) || (stderr == "") != (wantErr == "") {
					t.Errorf("status %d, want %d; said %q, want %q", status, wantStatus, stderr, wantErr)
				}
				for action, n := range sim.Calls() {
					if n != 1 || !slices.Contains(c.actions, action) {
						t.Errorf("%s was called %d times", action, n)
					}
				}
			})
		}
	}
}

// TestCheckAPINamesThePermissionsOfThePolicy: what it calls missing is what the policy
// has.
func TestCheckAPINamesThePermissionsOfThePolicy(t *testing.T) {
	sim, address := served(t)
	environment(t, address, map[string]string{"CAS_JOB_IDS": "8888", "CAS_DISCOVERY": "true"})
	_ = sim.Inject("forbidden", simulator.Match{})
	_, stdout, _ := program(t.Context(), "--check-api")
	policy, err := os.ReadFile("../../deploy/ram-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	permissions := func(text string) []string {
		names := regexp.MustCompile(`yundun-cert:\w+`).FindAllString(text, -1)
		slices.Sort(names)
		return names
	}
	if diff := cmp.Diff(permissions(string(policy)), permissions(stdout)); diff != "" {
		t.Errorf("(-policy +printed):\n%s", diff)
	}
}

// TestCheckAPIWithoutAnAnswer: what is wrong with the account is said once, and each
// action is not tried in vain.
func TestCheckAPIWithoutAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		settings      map[string]string
		fault         string
		result, later string // of the first action, of the others
		says          string
		calls         int
		status        int
	}{
		"refused key": {
			map[string]string{"ALIBABA_CLOUD_ACCESS_KEY_ID": "wrong"},
			"",
			"auth InvalidAccessKeyId.NotFound -", "not tried: the credentials do not work -", "ListDeploymentJob: InvalidAccessKeyId.NotFound: ", 1, exitFailed,
		},
		"unreachable": {
			map[string]string{"CAS_ENDPOINT": "http://127.0.0.1:1"},
			"",
			"network -", "not tried: the API does not answer -", "ListDeploymentJob: dial tcp 127.0.0.1:1", 0, exitFailed,
		},
		"no key file": {
			map[string]string{"CAS_CREDENTIALS": "file", "CAS_ACCESS_KEY_ID_FILE": "/nonexistent", "CAS_ACCESS_KEY_SECRET_FILE": "/nonexistent"},
			"",
			"auth -", "not tried: the credentials do not work -", "warning: ", 0, exitFailed,
		},
		"login page": {nil, "html-200", "decode -", "not tried: no job is configured, and none was listed -", "ListDeploymentJob: answered with a web page", 1, exitFailed},
		"no job":     {nil, "data-null", "ok -", "not tried: no job is configured, and none was listed -", "", 1, exitOK},
	} {
		t.Run(name, func(t *testing.T) {
			sim, address := served(t)
			environment(t, address, map[string]string{"CAS_MAX_ATTEMPTS": "1"})
			for name, value := range c.settings {
				t.Setenv(name, value)
			}
			if c.fault != "" {
				_ = sim.Inject(c.fault, simulator.Match{})
			}
			status, stdout, stderr := checkAPI(t)
			want := []string{"- cn-hangzhou ListDeploymentJob - " + c.result}
			for _, action := range []string{"ListWorkerResource", "DescribeDeploymentJobStatus", "ListDeploymentJobCert"} {
				want = append(want, "- cn-hangzhou "+action+" - "+c.later)
			}
			if diff := cmp.Diff(want, table(t, stdout)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if status != c.status || !strings.HasPrefix(stderr, c.says) || c.says == "" && stderr != "" || strings.Count(stderr, "ListDeploymentJob: ") > 1 {
				t.Errorf("status %d, want %d; said %q, want %q", status, c.status, stderr, c.says)
			}
			if calls := sim.Calls(); len(calls) > c.calls {
				t.Errorf("calls %v", calls)
			}
		})
	}
}

// TestCheckAPIOfAccountsAndRegions: each account in each region has its own rows.
func TestCheckAPIOfAccountsAndRegions(t *testing.T) {
	hangzhou, inHangzhou := served(t)
	singapore, inSingapore := served(t)
	keys := map[string]string{"acs:ram::1:role/reader": "KEY-OF-PROD", "acs:ram::2:role/reader": "KEY-OF-TEST"}
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"Credentials": map[string]string{
			"AccessKeyId": keys[r.FormValue("RoleArn")], "AccessKeySecret": "key-of-role", "SecurityToken": "token-of-role", "Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		}})
	}))
	defer sts.Close()
	hangzhou.SetCredentials("KEY-OF-PROD", "key-of-role", "token-of-role")
	singapore.SetCredentials("KEY-OF-TEST", "key-of-role", "token-of-role")
	environment(t, inHangzhou+","+inSingapore, map[string]string{
		"CAS_REGION_ID": "cn-hangzhou,ap-southeast-1", "CAS_ACCOUNTS": "prod:acs:ram::1:role/reader,test:acs:ram::2:role/reader",
		"ALIBABA_CLOUD_STS_ENDPOINT": sts.URL,
	})
	status, stdout, stderr := checkAPI(t)
	var listings []string
	for _, row := range table(t, stdout) {
		if strings.Contains(row, "ListDeploymentJob ") {
			listings = append(listings, row)
		}
	}
	if diff := cmp.Diff([]string{
		"prod cn-hangzhou ListDeploymentJob - ok -",
		"prod ap-southeast-1 ListDeploymentJob - auth InvalidAccessKeyId.NotFound -",
		"test cn-hangzhou ListDeploymentJob - auth InvalidAccessKeyId.NotFound -",
		"test ap-southeast-1 ListDeploymentJob - ok -",
	}, listings); diff != "" {
		t.Errorf("(-want +got):\n%s%s", diff, stderr)
	}
	if status != exitFailed || strings.Count(stderr, "ap-southeast-1: ListDeploymentJob: ") != 1 {
		t.Errorf("status %d, said %q", status, stderr)
	}
}

// TestRequestLog: debug logs each request, any other level none.
func TestRequestLog(t *testing.T) {
	sim, address := served(t)
	environment(t, address, map[string]string{"CAS_JOB_IDS": "8888", "CAS_DISCOVERY": "false"})
	_ = sim.Inject("forbidden", simulator.Match{Action: "ListDeploymentJobCert"})
	_, _, log := program(t.Context(), "--once", "--log.level=debug")
	for _, want := range []string{
		`msg="api request" action=ListWorkerResource job_id=8888 page=1 request_id=\S+ duration_seconds=\S+ outcome=ok\n`,
		`msg="api request" action=DescribeDeploymentJob job_id=8888 request_id=\S+ duration_seconds=\S+ outcome=ok\n`,
		`msg="api request" action=ListDeploymentJobCert job_id=8888 code=Forbidden.RAM request_id=\S+ duration_seconds=\S+ outcome=forbidden\n`,
	} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("%s is not logged:\n%s", want, log)
		}
	}
	if got := strings.Count(log, `msg="api request"`); got != 4 {
		t.Errorf("%d requests are logged, want 4", got)
	}
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "")
	t.Setenv("CAS_ACCESS_KEY_ID_FILE", "/nonexistent")
	t.Setenv("CAS_ACCESS_KEY_SECRET_FILE", "/nonexistent")
	t.Setenv("CAS_CREDENTIALS", "file")
	if _, _, log = program(t.Context(), "--once", "--log.level=debug"); !strings.Contains(log, `msg="api request not sent: no credentials" action=DescribeDeploymentJob job_id=8888 outcome=auth`) {
		t.Errorf("missing credentials are not logged:\n%s", log)
	}
	if _, _, log = program(t.Context(), "--once"); strings.Contains(log, "api request") {
		t.Errorf("requests are logged without being asked for:\n%s", log)
	}
}
