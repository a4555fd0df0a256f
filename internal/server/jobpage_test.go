package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/docs"
	"aliyun_cas_exporter/internal/server"
)

// failedWorkers are n workers that failed, an hour apart.
func failedWorkers(n int, text string) (all []collector.Worker) {
	for i := range n {
		all = append(all, collector.Worker{
			WorkerID: fmt.Sprint(9000 + i), CloudProduct: "ALB" + text, RegionID: "cn-hangzhou" + text, Status: "error", InstanceID: "alb-1" + text, ListenerID: "lsn-1" + text,
			Port: "443", ResourceDomain: fmt.Sprint("www", i, ".example.com") + text, CertName: "www-2026" + text, Modified: now().Add(-time.Duration(n-i) * time.Hour),
		})
	}
	return all
}

// jobPages are pages of jobs that golden files hold: their addresses, and what there is to show.
func jobPages() map[string]struct {
	path   string
	status server.Status
	detail collector.Detail
} {
	type page = struct {
		path   string
		status server.Status
		detail collector.Detail
	}
	all := states()
	ago := func(d time.Duration) time.Time { return now().Add(-d) }
	failing := collector.Detail{
		Swept: ago(12 * time.Second), Failed: failedWorkers(3, ""), FailedOmitted: 2, Reported: 60, Matched: 58,
		Stuck:        []collector.Worker{{WorkerID: "8001", CloudProduct: "CDN", Status: "processing", ResourceDomain: "cdn.example.com", Modified: ago(50 * time.Hour)}},
		StuckOmitted: 0,
		Groups: []collector.Group{
			{CloudProduct: "ALB", RegionID: "cn-hangzhou", Status: "error", Workers: 5, Oldest: ago(3 * time.Hour)},
			{CloudProduct: "ALB", RegionID: "cn-hangzhou", Status: "success", Workers: 26, Oldest: ago(70 * time.Hour)},
			{CloudProduct: "CDN", Status: "pending", Workers: 17},
			{CloudProduct: "CDN", Status: "processing", Workers: 12, Oldest: ago(50 * time.Hour)},
		},
		Certificates: []collector.Certificate{
			{ID: "77", Name: "www-2026", CommonName: "www.example.com", NotAfter: now().Add(10 * 24 * time.Hour)},
			{Name: "ordered", CommonName: "", NotAfter: ago(25 * time.Hour)},
			{ID: "78", Name: "no-time"},
		},
	}
	failing.Record.JobType, failing.Record.CertType, failing.Record.RolledBack = "user", "upload", true
	failing.Record.Created, failing.Record.Schedule, failing.Record.Start = ago(80*time.Hour), ago(72*time.Hour), ago(71*time.Hour)
	hostile := "<script>document.title='ran'</script>\u202enohsrever\u200b" + strings.Repeat("x", 2000)
	attack := collector.Detail{
		Swept: ago(time.Second), Failed: failedWorkers(1, hostile), Reported: -1, Matched: 0,
		Groups:       []collector.Group{{CloudProduct: hostile, RegionID: hostile, Status: hostile, Workers: 1, Oldest: ago(time.Hour)}},
		Certificates: []collector.Certificate{{ID: hostile, Name: hostile, CommonName: hostile, NotAfter: now()}},
	}
	attack.Record.JobType, attack.Record.CertType = hostile, hostile
	nothing := collector.Detail{Reported: -1, Matched: -1}
	attacked := all["hostile"]
	attacked.Accounts[0].Name = ""
	return map[string]page{
		"job_failing":    {"/jobs/production/2", all["demo"], failing},
		"job_empty":      {"/jobs/production/3", all["demo"], collector.Detail{Swept: ago(time.Minute), Reported: 0, Matched: 0}},
		"job_unread":     {"/jobs/8888", all["before_the_first_poll"], nothing},
		"job_stale":      {"/jobs/1", all["stale"], nothing},
		"job_throttled":  {"/jobs/2", all["outage"], failing},
		"job_hostile":    {"/jobs/1", attacked, attack},
		"job_of_another": {"/jobs/staging/2", all["demo"], nothing},
		"job_of_nobody":  {"/jobs/1/2/3/8889", all["demo"], nothing},
	}
}

// askPage asks for a page of a server that knows one job's details.
func askPage(t *testing.T, path string, s server.Status, d collector.Detail, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return newServer(t, func(o *server.Options) {
		o.Now, o.Status = now, func() server.Status { return s }
		o.Detail = func(string, string, int64) (collector.Detail, bool) { return d, true }
		o.Console = func(string) string { return "https://console.example" }
	}).ask("GET", path, headers...)
}

// TestJobPage compares the page of a job in each state with a golden file, and with what every page must be.
func TestJobPage(t *testing.T) {
	for name, page := range jobPages() {
		t.Run(name, func(t *testing.T) {
			w := askPage(t, page.path, page.status, page.detail)
			want := http.StatusOK
			if strings.HasPrefix(name, "job_of_") {
				want = http.StatusNotFound
			}
			if w.Code != want {
				t.Errorf("status %d, want %d", w.Code, want)
			}
			harmless(t, w.Body.String())
			golden(t, name+".html", w.Body.String())
		})
	}
}

// TestJSON: both pages are there as JSON, and nothing in it can be invisible or long.
func TestJSON(t *testing.T) {
	check := func(name string, w *httptest.ResponseRecorder) {
		t.Helper()
		if w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %s %.300s", name, w.Header().Get("Content-Type"), w.Body)
		}
		if i := strings.IndexFunc(w.Body.String(), func(r rune) bool { return unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && r != '\n' }); i >= 0 {
			t.Errorf("%s has an invisible character: %.50q", name, w.Body.String()[i:])
		}
		golden(t, name+".json", w.Body.String())
	}
	for _, name := range []string{"demo", "unreachable", "nothing"} {
		check(name, askPage(t, "/", states()[name], collector.Detail{}, "Accept", "application/json"))
	}
	for _, name := range []string{"job_failing", "job_hostile", "job_of_another"} {
		p := jobPages()[name]
		check(name, askPage(t, p.path, p.status, p.detail, "Accept", "application/json"))
	}
	browser := "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"
	if w := askPage(t, "/", states()["demo"], collector.Detail{}, "Accept", browser); !strings.HasPrefix(w.Body.String(), "<!DOCTYPE html>") {
		t.Errorf("a browser gets %.100s", w.Body)
	}
}

// TestManyWorkers: a page of a job is as long as its tables may be, and says what is left out.
func TestManyWorkers(t *testing.T) {
	d := collector.Detail{Failed: failedWorkers(5000, ""), FailedOmitted: 7, Swept: now()}
	for i := range 2000 {
		d.Groups = append(d.Groups, collector.Group{CloudProduct: fmt.Sprint("P", i), Status: "success", Workers: 1})
	}
	d.Groups = append(d.Groups, collector.Group{CloudProduct: "last", Status: "rollback_error", Workers: 1})
	page := askPage(t, "/jobs/production/2", states()["demo"], d).Body.String()
	for text, want := range map[string]int{
		"worker 90": 100, "4707 more are not shown": 1, "300 of 5007": 1, "<bdi>last</bdi>": 1, "1701 more are not shown": 1,
	} {
		if got := strings.Count(page, text); got != want {
			t.Errorf("%q is there %d times, want %d", text, got, want)
		}
	}
	if len(page) > 1<<20 {
		t.Errorf("%d bytes", len(page))
	}
}

// TestAlertsHaveRunbooks follows the link of every alert about jobs into the runbooks that are shipped.
func TestAlertsHaveRunbooks(t *testing.T) {
	guide := newServer(t, func(o *server.Options) { o.Runbooks = docs.Runbooks }).ask("GET", "/runbooks").Body.String()
	for _, alert := range collector.Alerts() {
		j := collector.JobState{ID: 240527, Troubles: []collector.Trouble{{Alert: alert, Severity: "info", Text: "x"}}}
		page := askPage(t, "/jobs/240527", server.Status{Accounts: []collector.State{{Jobs: []collector.JobState{j}}}}, collector.Detail{}).Body.String()
		if link := `href="../runbooks?job_id=240527#` + strings.ToLower(alert) + `"`; !strings.Contains(page, link) {
			t.Errorf("no %s in\n%s", link, page)
		}
		if !strings.Contains(guide, `<h2 id="`+strings.ToLower(alert)+`">`) {
			t.Errorf("the runbooks have no section %s", alert)
		}
	}
}

// crowdedStatus has accounts of so many jobs; each third job is in trouble.
func crowdedStatus(accounts, jobs int) server.Status {
	var s server.Status
	for a := range accounts {
		account := collector.State{Name: fmt.Sprint("account-", a), Polled: true}
		for id := range jobs {
			j := collector.JobState{
				ID: int64(id + 1), Name: fmt.Sprint("renew-", id+1), Status: []string{"success", "processing", "error"}[id%3],
				Polled: true, Up: true, Success: now(), Workers: workers(0, 0, 0, 0, 9, id%3),
			}
			if id%3 == 2 {
				j.Failed = 2
				j.Troubles = []collector.Trouble{{Alert: "AliyunCasDeploymentWorkersFailed", Severity: "warning", Rank: 2, Text: "2 resources failed", Since: now().Add(-time.Hour)}}
			}
			account.Jobs = append(account.Jobs, j)
		}
		s.Accounts = append(s.Accounts, account)
	}
	return s
}

// TestFilters: each parameter narrows what is listed and nothing that is counted.
func TestFilters(t *testing.T) {
	s := crowdedStatus(2, 300)
	for query, want := range map[string]int{
		"": 500, "?account=account-1": 300, "?account=account-2": 0, "?status=error": 200, "?status=halted": 0, "?alert=any": 200,
		"?alert=AliyunCasDeploymentWorkersFailed": 200, "?alert=AliyunCasDataStale": 0, "?q=RENEW-29": 22, "?q=299": 2, "?q=%3Cscript%3E": 0,
		"?account=account-0&status=success&q=renew-1": 39, "?other=1": 500, "?q=" + strings.Repeat("a", 5000): 0,
	} {
		page := askPage(t, "/"+query, s, collector.Detail{}).Body.String()
		harmless(t, page)
		if got := strings.Count(page, "<tbody"); got != want || !strings.Contains(page, "<dd>600</dd>") {
			t.Errorf("%.50s lists %d jobs, want %d", query, got, want)
		}
	}
}

// TestPagesShareOneLook: whatever pages are asked for, the jobs are looked at once a second.
func TestPagesShareOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		f := newServer(t, func(o *server.Options) {
			o.Status = func() server.Status { looks++; return crowdedStatus(1, 10) }
		})
		for round := 1; round <= 2; round++ {
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() { f.ask("GET", fmt.Sprint("/?q=", i)) })
				all.Go(func() { f.ask("GET", fmt.Sprint("/jobs/account-0/", i)) })
			}
			all.Wait()
			if looks != round {
				t.Errorf("%d looks in %d seconds", looks, round)
			}
			time.Sleep(time.Second + time.Millisecond)
		}
	})
}

// TestSpellingsOfPath: the links of a page fit the address by which it was asked for, whoever asked in another way before.
func TestSpellingsOfPath(t *testing.T) {
	f := newServer(t, func(o *server.Options) { o.Status = func() server.Status { return crowdedStatus(1, 1) } })
	for _, c := range [][2]string{{"/jobs/account-0%2F1", "../"}, {"/jobs/account-0/1", "../../"}} {
		if page := f.ask("GET", c[0]).Body.String(); !strings.Contains(page, `href="`+c[1]+`style.css"`) {
			t.Errorf("%s has no link to %sstyle.css:\n%s", c[0], c[1], page)
		}
	}
}

// BenchmarkStartPage renders the start page of 10,000 jobs: as all see it, as one filters it, and as JSON.
func BenchmarkStartPage(b *testing.B) {
	s := crowdedStatus(1, 10_000)
	for _, c := range []struct{ name, query, accept string }{{"whole", "", "text/html"}, {"filtered", "?q=77", "text/html"}, {"JSON", "", "application/json"}} {
		b.Run(c.name, func(b *testing.B) {
			f := newServer(b, func(o *server.Options) { o.Now, o.Status = now, func() server.Status { return s } })
			f.Freshness(0)
			for b.Loop() {
				if w := f.ask("GET", "/"+c.query, "Accept", c.accept); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
