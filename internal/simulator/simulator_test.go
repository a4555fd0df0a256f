package simulator_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"aliyun_cas_exporter/internal/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSignatureVectors compares the simulator with signatures that were computed
// independently for fixed parameters.
func TestSignatureVectors(t *testing.T) {
	form := url.Values{
		"AccessKeyId": {"testid"}, "Action": {"ListWorkerResource"}, "CurrentPage": {"1"}, "Format": {"JSON"}, "JobId": {"8888"},
		"RegionId": {"cn-hangzhou"}, "ShowSize": {"50"}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureType": {""}, "SignatureVersion": {"1.0"},
		"SignatureNonce": {"0123456789abcdef0123456789abcdef"}, "Timestamp": {"2026-11-23T08:00:00Z"}, "Version": {"2020-04-07"},
	}
	const want = "POST&%2F&AccessKeyId%3Dtestid%26Action%3DListWorkerResource%26CurrentPage%3D1%26Format%3DJSON%26JobId%3D8888" +
		"%26RegionId%3Dcn-hangzhou%26ShowSize%3D50%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D0123456789abcdef0123456789abcdef" +
		"%26SignatureType%3D%26SignatureVersion%3D1.0%26Timestamp%3D2026-11-23T08%253A00%253A00Z%26Version%3D2020-04-07"
	if got := simulator.StringToSign("POST", form); got != want {
		t.Errorf("string to sign:\n got %s\nwant %s", got, want)
	}
	for method, want := range map[string]string{"POST": "fFVZLqxj2ng+BW2037+wQuJpGT4=", "GET": "9LTlAj71pXsrOLUFjPoQ1kxWjEI="} {
		if got := simulator.Sign(simulator.StringToSign(method, form), "testsecret"); got != want {
			t.Errorf("%s: got %s, want %s", method, got, want)
		}
	}
}

// signed is a well-formed request, changed before and after it is signed.
func signed(method string, params map[string]string, spoil func(url.Values)) *http.Request {
	nonce := strconv.FormatInt(time.Now().UnixNano(), 36) + strconv.Itoa(len(params))
	form := url.Values{
		"AccessKeyId": {simulator.DemoAccessKeyID}, "Format": {"JSON"}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureType": {""},
		"SignatureVersion": {"1.0"}, "SignatureNonce": {nonce}, "Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")}, "Version": {"2020-04-07"},
	}
	for name, value := range params {
		form.Set(name, value)
	}
	form.Set("Signature", simulator.Sign(simulator.StringToSign(method, form), simulator.DemoAccessKeySecret))
	if spoil != nil {
		spoil(form)
	}
	return httptest.NewRequest(method, "/?"+form.Encode(), http.NoBody)
}

func ask(s *simulator.Simulator, req *http.Request) (int, map[string]any) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	var body map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &body)
	return w.Code, body
}

func one() *simulator.Simulator {
	s := simulator.New(simulator.Options{})
	s.PutJob(simulator.Job{ID: 8888, Status: "success", JobType: "user"}, []simulator.Worker{{ID: 1, Status: "error", CloudProduct: "SLB", RegionID: "cn-hangzhou", Port: 443}, {ID: 2, Status: "success", CloudProduct: "CDN"}})
	return s
}

func TestRefusals(t *testing.T) {
	list := map[string]string{"Action": "ListWorkerResource", "JobId": "8888"}
	with := func(more map[string]string) map[string]string {
		all := maps.Clone(list)
		maps.Copy(all, more)
		return all
	}
	for name, test := range map[string]struct {
		req    *http.Request
		status int
		code   string
	}{
		"good":               {signed("POST", list, nil), 200, ""},
		"wrong secret":       {signed("POST", list, func(f url.Values) { f.Set("Signature", "AAAA") }), 400, "SignatureDoesNotMatch"},
		"changed afterwards": {signed("POST", list, func(f url.Values) { f.Set("JobId", "8889") }), 400, "SignatureDoesNotMatch"},
		"other key":          {signed("POST", with(map[string]string{"AccessKeyId": "other"}), nil), 404, "InvalidAccessKeyId.NotFound"},
		"stale timestamp":    {signed("POST", with(map[string]string{"Timestamp": "2020-01-01T00:00:00Z"}), nil), 400, "InvalidTimeStamp.Expired"},
		"no timestamp":       {signed("POST", with(map[string]string{"Timestamp": "noon"}), nil), 400, "InvalidTimeStamp.Format"},
		"unknown action":     {signed("POST", map[string]string{"Action": "DeleteEverything"}, nil), 404, "InvalidAction.NotFound"},
		"other version":      {signed("POST", with(map[string]string{"Version": "2018-07-13"}), nil), 404, "InvalidAction.NotFound"},
		"no job":             {signed("POST", map[string]string{"Action": "ListWorkerResource"}, nil), 400, "MissingJobId"},
		"unknown job":        {signed("POST", with(map[string]string{"JobId": "1"}), nil), 404, "NotFound"},
		"bad page":           {signed("POST", with(map[string]string{"CurrentPage": "0"}), nil), 400, "InvalidCurrentPage"},
		"unknown parameter":  {signed("POST", with(map[string]string{"Surprise": "1"}), nil), 200, ""},
		"counts of a job":    {signed("POST", with(map[string]string{"Action": "DescribeDeploymentJobStatus"}), nil), 200, ""},
		"counts of no job":   {signed("POST", with(map[string]string{"Action": "DescribeDeploymentJobStatus", "JobId": "1"}), nil), 404, "NotFound"},
		"counts of all jobs": {signed("POST", map[string]string{"Action": "DescribeDeploymentJobStatus"}, nil), 200, ""},
		"token unasked":      {signed("POST", with(map[string]string{"SecurityToken": "t"}), nil), 400, "InvalidSecurityToken.MismatchWithAccessKey"},
		"PUT":                {signed("PUT", list, nil), 405, "UnsupportedHTTPMethod"},
	} {
		status, body := ask(one(), test.req)
		code, _ := body["Code"].(string)
		if status != test.status || code != test.code {
			t.Errorf("%s: got %d %q, want %d %q", name, status, code, test.status, test.code)
		}
	}
}

// TestCountsOfAllJobs asks for the counts without a job, as the documentation allows.
func TestCountsOfAllJobs(t *testing.T) {
	s := one()
	s.PutJob(simulator.Job{ID: 9999, Certificates: []simulator.Certificate{{ID: 1}}}, []simulator.Worker{{ID: 3, Status: "error", CloudProduct: "CDN"}})
	for id, want := range map[string][3]float64{"": {3, 2, 1}, "8888": {2, 1, 0}, "9999": {1, 1, 1}} {
		_, body := ask(s, signed("POST", map[string]string{"Action": "DescribeDeploymentJobStatus", "JobId": id}, nil))
		if got := [3]any{body["WorkerCount"], body["FailedCount"], body["CertCount"]}; got != [3]any{want[0], want[1], want[2]} {
			t.Errorf("job %q: got %v, want %v", id, got, want)
		}
	}
}

func TestNonceIsTakenOnce(t *testing.T) {
	s, req := one(), signed("POST", map[string]string{"Action": "ListWorkerResource", "JobId": "8888"}, nil)
	if status, _ := ask(s, req); status != 200 {
		t.Fatalf("first: %d", status)
	}
	if status, body := ask(s, httptest.NewRequest("POST", req.URL.String(), http.NoBody)); status != 400 || body["Code"] != "SignatureNonceUsed" {
		t.Errorf("again: %d %v", status, body["Code"])
	}
}

// TestTakesWhatTheCommandLineSends sends every parameter that Alibaba's own
// command line knows for each action, with each of its methods.
func TestTakesWhatTheCommandLineSends(t *testing.T) {
	files, err := filepath.Glob("testdata/cli-metadata/*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	values := map[string]string{"JobId": "8888", "CurrentPage": "1", "ShowSize": "20", "Status": "success", "CloudProduct": "cdn", "JobType": "user"}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var action struct {
			Name, Method string
			Parameters   []struct{ Name string }
		}
		if err := json.Unmarshal(text, &action); err != nil {
			t.Fatal(err)
		}
		for method := range strings.SplitSeq(action.Method, "|") {
			params := map[string]string{"Action": action.Name, "RegionId": "cn-hangzhou"}
			for _, p := range action.Parameters {
				params[p.Name] = values[p.Name]
			}
			if status, body := ask(one(), signed(method, params, nil)); status != 200 {
				t.Errorf("%s %s: %d %v", method, action.Name, status, body)
			}
		}
	}
}

func TestPagesAndFilters(t *testing.T) {
	s := simulator.New(simulator.Options{MaxShowSize: 20})
	for id := range int64(45) {
		s.PutJob(simulator.Job{ID: id + 1, Status: "success"}, nil)
	}
	for page, want := range map[string]int{"1": 20, "3": 5, "4": 0} {
		_, body := ask(s, signed("POST", map[string]string{"Action": "ListDeploymentJob", "CurrentPage": page, "ShowSize": "50"}, nil))
		if got := len(body["Data"].([]any)); got != want || body["Total"] != 45. || body["ShowSize"] != 20. {
			t.Errorf("page %s: %d rows of %v, want %d", page, got, body["Total"], want)
		}
	}
	_, body := ask(one(), signed("GET", map[string]string{"Action": "ListWorkerResource", "JobId": "8888", "CloudProduct": "cdn"}, nil))
	if body["Total"] != 1. {
		t.Errorf("filter: %v", body["Total"])
	}
}

// TestEveryFaultShows injects each fault and sees another answer than without.
func TestEveryFaultShows(t *testing.T) {
	harmless := map[string]bool{"duplicate-page": true, "filter-ignored": true, "clamp-silent": true} // nothing to change on one short page
	for _, name := range simulator.FaultNames() {
		synctest.Test(t, func(t *testing.T) {
			fetch := func(s *simulator.Simulator) string {
				ctx := t.Context()
				req := signed("POST", map[string]string{"Action": "ListWorkerResource", "JobId": "8888", "ShowSize": "50"}, nil).WithContext(ctx)
				timer := time.AfterFunc(time.Minute, func() {})
				defer timer.Stop()
				resp, err := s.Transport().RoundTrip(req)
				if err != nil {
					return err.Error()
				}
				defer func() { _ = resp.Body.Close() }()
				body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
				if err != nil {
					return string(body) + err.Error()
				}
				return resp.Status + resp.Header.Get("Content-Encoding") + string(body)
			}
			if name == "slow-headers" || name == "slow-body" {
				return // they answer only when the caller gives up
			}
			healthy, s := fetch(one()), one()
			if err := s.Inject(name, simulator.Match{}); err != nil {
				t.Fatal(err)
			}
			if got := fetch(s); got == healthy && !harmless[name] {
				t.Errorf("%s changes nothing", name)
			}
			if simulator.DescribeFault(name) == "" {
				t.Errorf("%s is not described", name)
			}
		})
	}
}

func TestDemoIsTheSameForASeedAndMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := simulator.Demo(7, time.Now), simulator.Demo(7, time.Now)
		look := func(s *simulator.Simulator) string {
			_, body := ask(s, signed("POST", map[string]string{"Action": "ListDeploymentJob"}, nil))
			estate := []any{body}
			for _, job := range s.Jobs() {
				estate = append(estate, s.Workers(job.ID))
			}
			text, _ := json.Marshal(estate)
			return string(text)
		}
		first := look(a)
		if first != look(b) {
			t.Error("two demos with one seed differ")
		}
		for range 30 {
			time.Sleep(2 * time.Minute)
			next := look(a)
			if next == first {
				t.Error("nothing moved for two minutes")
			}
			first = next
		}
	})
}
