package server_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/docs"
	"aliyun_cas_exporter/internal/reason"
	"aliyun_cas_exporter/internal/server"
)

var update = flag.Bool("update", false, "write the golden files")

// now is when the golden pages are looked at.
func now() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }

func workers(n ...int) []collector.StatusCount {
	var counts []collector.StatusCount
	for i, status := range []string{
		"editing", "pending", "scheduling", "processing", "success", "error", "rollback", "rollback_success", "rollback_error",
	} {
		c := collector.StatusCount{Status: status}
		if i < len(n) {
			c.N = n[i]
		}
		counts = append(counts, c)
	}
	return counts
}

// states are the pages that golden files hold.
func states() map[string]server.Status {
	ago := func(d time.Duration) time.Time { return now().Add(-d) }
	up := func(id int64, name, status string, counts ...int) collector.JobState {
		j := collector.JobState{ID: id, Name: name, Status: status, Polled: true, Up: true, Since: ago(time.Hour), Success: ago(12 * time.Second), Workers: workers(counts...)}
		j.Failed = j.Workers[5].N + j.Workers[8].N
		if n := j.Workers[8].N; n > 0 {
			j.Troubles = append(j.Troubles, collector.Trouble{Alert: "AliyunCasDeploymentRollbackFailed", Severity: "critical", Rank: 0, Text: fmt.Sprint(n, " resources could not be rolled back"), Since: ago(26 * time.Hour)})
		}
		if n := j.Workers[5].N; n > 0 {
			j.Troubles = append(j.Troubles, collector.Trouble{Alert: "AliyunCasDeploymentWorkersFailed", Severity: "warning", Rank: 2, Text: fmt.Sprint(n, " resources failed"), Since: ago(25 * time.Minute)})
		}
		return j
	}
	down := func(j collector.JobState, why reason.Reason, text string, confirmed time.Duration) collector.JobState {
		j.Up, j.Failure, j.Error, j.Success, j.Since = false, why, text, ago(confirmed), ago(confirmed)
		return j
	}
	one := func(a collector.State) server.Status {
		return server.Status{Version: "1.2.3", Accounts: []collector.State{a}}
	}
	hostile := []string{
		`<script>document.title='ran'</script>`, `"><img src=x onerror=alert(1)>`, `'--><style>*{display:none}</style>`,
		"\u202enohsrever\u202c\u2066\u200b", "two\nlines\tand\x00nul", strings.Repeat("x", 10_000), "\xff\xfe", " ", `{{.}}`,
	}
	var attacks []collector.JobState
	for i, text := range hostile {
		j := up(int64(i+1), text, text, 0, 0, 0, 1)
		j.Workers = append(j.Workers, collector.StatusCount{Status: text, N: 2})
		j.Troubles = []collector.Trouble{{Alert: "AliyunCasCertificateExpires", Severity: "critical", Rank: 1, Text: "certificate " + text + " expires", Since: ago(-25 * time.Hour)}}
		attacks = append(attacks, down(j, "decode", text, time.Minute))
	}
	superseded := up(5, "superseded", "error", 0, 0, 0, 0, 7, 2)
	superseded.Failed, superseded.Superseded, superseded.Troubles = 0, 2, nil
	undocumented := up(6, "new", "halted", 0, 0, 0, 0, 7)
	undocumented.Troubles = []collector.Trouble{{Alert: "AliyunCasUndocumentedStatus", Severity: "info", Rank: 12, Text: "CAS does not document the status halted"}}
	unreachable := collector.State{Polled: true, LastPoll: ago(40 * time.Second), API: collector.API{Asked: true, Since: ago(2 * time.Minute), Errors: []collector.APIError{
		{Action: "ListDeploymentJob", Reason: "network", Since: ago(2 * time.Minute)}, {Action: "ListWorkerResource", Reason: "network", Since: ago(time.Minute)},
	}}, ListingError: "list jobs: page 1: dial tcp: connection refused"}
	for id := range int64(4) {
		unreachable.Jobs = append(unreachable.Jobs, down(up(id+1, "job", "success", 0, 0, 0, 0, 3), "network", "list workers: page 1: dial tcp: connection refused", 90*time.Second))
	}
	refused := collector.State{Polled: true, LastPoll: ago(4 * time.Second), API: collector.API{Asked: true, Since: ago(5 * time.Second), Errors: []collector.APIError{
		{Action: "ListDeploymentJob", Reason: "auth", Code: "InvalidAccessKeyId.NotFound", Since: ago(5 * time.Second)},
	}}, ListingError: "list jobs: page 1: InvalidAccessKeyId.NotFound: Specified access key is not found. (HTTP 404)"}
	return map[string]server.Status{
		"unreachable": one(unreachable), "refused": one(refused),
		"before_the_first_poll": one(collector.State{Jobs: []collector.JobState{{ID: 8888}}}),
		"nothing": one(collector.State{Polled: true, LastPoll: ago(3 * time.Second), Narrowed: []string{
			"CAS_DISCOVERY_MAX_AGE hides finished jobs that did not change for 30 days", "CAS_DISCOVERY_NAME_REGEXP selects the jobs whose names match ^" + hostile[0],
		}}),
		"demo": {Demo: true, Version: "1.2.3", Accounts: []collector.State{
			{Name: "production", Polled: true, LastPoll: ago(3 * time.Second), Jobs: []collector.JobState{
				up(1, "done", "success", 0, 0, 0, 0, 420), up(2, "renewal", "processing", 0, 17, 2, 12, 26, 3), up(3, "empty", "success"),
				up(4, "rolled-back", "success", 0, 0, 0, 0, 1, 0, 2, 14, 1), superseded, undocumented,
			}},
			{Name: "staging"},
		}},
		"outage": one(collector.State{Polled: true, LastPoll: ago(40 * time.Second), API: collector.API{Asked: true, Up: true, Since: ago(time.Hour), Errors: []collector.APIError{
			{Action: "ListWorkerResource", Reason: "throttled", Code: "Throttling.User", Since: ago(4 * time.Minute)},
		}}, ListingError: "list jobs: page 1: answered without an error message (HTTP 502)", Jobs: []collector.JobState{
			up(1, "done", "success", 0, 0, 0, 0, 420),
			down(up(2, "throttled", "processing", 0, 1, 0, 0, 30, 2), "throttled", "list workers of job 2: page 1: Throttling.User: Request was denied (HTTP 429)", 4*time.Minute),
			{ID: 3, Polled: true, Failure: "forbidden", Error: "list workers of job 3: page 1: Forbidden.RAM: not authorized (HTTP 403)"},
		}}),
		"stale": one(collector.State{Polled: true, LastPoll: ago(9 * time.Second), Jobs: []collector.JobState{
			{ID: 1, Polled: true, Failure: "network", Error: "list workers of job 1: page 1: dial tcp: connection refused", Since: ago(3 * 24 * time.Hour), Success: ago(3 * 24 * time.Hour), Stale: true, Troubles: []collector.Trouble{
				{Alert: "AliyunCasDataStale", Severity: "warning", Rank: 10, Text: "not confirmed", Since: ago(3 * 24 * time.Hour)},
			}},
		}}),
		"hostile": one(collector.State{Name: hostile[0] + hostile[3], Polled: true, LastPoll: ago(time.Second), ListingError: hostile[1], Jobs: attacks}),
	}
}

func show(t *testing.T, s server.Status) string {
	t.Helper()
	w := newServer(t, func(o *server.Options) {
		o.Now, o.Status = now, func() server.Status { return s }
	}).ask("GET", "/")
	if w.Code != 200 {
		t.Fatalf("status %d", w.Code)
	}
	return w.Body.String()
}

// TestStartPage compares the page in each state with a golden file, and with
// what every page must be.
func TestStartPage(t *testing.T) {
	for name, status := range states() {
		t.Run(name, func(t *testing.T) {
			got := show(t, status)
			harmless(t, got)
			golden(t, name+".html", got)
		})
	}
}

// golden compares what is served with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s; run the test with -update if that is meant:\n%s", path, diff)
	}
}

// ours are the links that a page may have.
var ours = regexp.MustCompile(`^((\.\./)*(\./|metrics|runbooks(\?job_id=\d+)?(#[a-z]+)?|-/healthy|-/ready|style\.css|icon\.svg|jobs/[A-Za-z0-9/.%=_-]+|\?alert=any)?|https://console\.example/\?p=cas(#/deployDetail/user/\d+)?)$`)

// harmless fails when a page has an element or attribute that the templates do not
// write, asks for anything but our own files, or holds what cannot be seen.
func harmless(t *testing.T, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.TextNode && strings.ContainsAny(n.Data, "\u202e\u2066\u200b\x00\ufeff") {
			t.Errorf("invisible characters in %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "style", "iframe", "object", "embed", "base":
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
			if a.Key == "action" && a.Val != "./" || a.Key == "formaction" || a.Key == "method" && a.Val != "get" {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
			if (a.Key == "href" || a.Key == "src") && !ours.MatchString(a.Val) {
				t.Errorf("<%s> links %q", n.Data, a.Val)
			}
		}
	}
}

func TestRunbooksPage(t *testing.T) {
	f := newServer(t, func(o *server.Options) {
		o.Runbooks = "# Runbooks\n\n## CasJobFails\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>alert(1)</script>\n"
	})
	page := f.ask("GET", "/runbooks").Body.String()
	for _, want := range []string{`<h2 id="casjobfails">`, "<td>1</td>"} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %s in\n%s", want, page)
		}
	}
	harmless(t, page)
}

// TestRunbooksNameTheJob: an alert's link has its job's id, and so have the calls.
func TestRunbooksNameTheJob(t *testing.T) {
	f := newServer(t, func(o *server.Options) {
		o.Runbooks = "# Runbooks\n\n`aliyun cas DescribeDeploymentJob --JobId 8888`\n"
	})
	for query, want := range map[string]string{
		"": "--JobId 8888<", "?job_id=": "--JobId 8888<", "?job_id=240527": "--JobId 240527<",
		"?job_id=1%3Cscript%3E": "--JobId 8888<", "?job_id=-1": "--JobId 8888<", "?job_id=99999999999999999999": "--JobId 8888<",
	} {
		answer := f.ask("GET", "/runbooks"+query)
		if page := answer.Body.String(); !strings.Contains(page, want) || answer.Header().Get("Content-Length") != strconv.Itoa(len(page)) {
			t.Errorf("%s: no %q in %d bytes, announced as %s:\n%s", query, want, len(page), answer.Header().Get("Content-Length"), page)
		}
	}
}

// TestRunbookLinks follows each link of the start page, for every reason, into the
// runbooks that are shipped.
func TestRunbookLinks(t *testing.T) {
	var jobs []collector.JobState
	for _, why := range reason.All() {
		jobs = append(jobs, collector.JobState{ID: 1, Polled: true, Failure: why, Workers: workers(0, 0, 0, 0, 0, 1), Failed: 1})
	}
	page := show(t, server.Status{Accounts: []collector.State{{Polled: true, ListingError: "it failed", Jobs: jobs}}})
	guide := newServer(t, func(o *server.Options) { o.Runbooks = docs.Runbooks }).ask("GET", "/runbooks").Body.String()
	links := regexp.MustCompile(`href="runbooks#(\w+)"`).FindAllStringSubmatch(page, -1)
	if len(links) != len(jobs)+3 {
		t.Errorf("%d links, want one for each reason, the banner, its listing and failed workers", len(links))
	}
	for _, link := range links {
		if !strings.Contains(guide, `<h2 id="`+link[1]+`">`) {
			t.Errorf("the runbooks have no section %s", link[1])
		}
	}
}

// TestTitle: what is wrong with the API stands in the title at once, and is not said of the API where it is only a job.
func TestTitle(t *testing.T) {
	failing := func(up bool, errors ...collector.APIError) collector.API {
		return collector.API{Asked: true, Up: up, Since: now(), Errors: errors}
	}
	job := func(id int64, up bool, why reason.Reason) collector.JobState {
		return collector.JobState{ID: id, Polled: true, Up: up, Failure: why, Status: "success", Success: now(), Workers: workers(0, 0, 0, 0, 1)}
	}
	network := collector.APIError{Action: "ListWorkerResource", Reason: "network"}
	for _, test := range []struct {
		name, title, banner string
		state               collector.State
	}{
		{"nothing was asked", "aliyun_cas_exporter", "", collector.State{}},
		{"all is well", "aliyun_cas_exporter", "", collector.State{API: failing(true), Jobs: []collector.JobState{job(1, true, "")}}},
		{"a refused key", "key refused · aliyun_cas_exporter", "aliyuncasauthfailing", collector.State{
			API: failing(false, collector.APIError{Action: "ListDeploymentJob", Reason: "auth"}), Jobs: []collector.JobState{job(1, true, "")},
		}},
		{"nothing answers", "API unreadable · 1 not read · aliyun_cas_exporter", "aliyuncasapiunreadable", collector.State{API: failing(false, network), Jobs: []collector.JobState{job(1, false, "network")}}},
		{"the listing fails", "API unreadable · aliyun_cas_exporter", "aliyuncasapiunreadable", collector.State{
			API: failing(false, network), ListingError: "list jobs: reset", Jobs: []collector.JobState{job(1, true, "")},
		}},
		{"one job fails", "1 not read · aliyun_cas_exporter", "aliyuncasdatastale", collector.State{API: failing(false, network), Jobs: []collector.JobState{job(1, true, ""), job(2, false, "network")}}},
		{"a permission", "permission missing · aliyun_cas_exporter", "aliyuncaspermissionmissing", collector.State{
			API: failing(true, collector.APIError{Action: "ListDeploymentJobCert", Reason: "forbidden"}), Jobs: []collector.JobState{job(1, true, "")},
		}},
		{"throttled", "throttled · 1 not read · aliyun_cas_exporter", "aliyuncasthrottled", collector.State{
			API: failing(true, collector.APIError{Action: "ListWorkerResource", Reason: "throttled"}), Jobs: []collector.JobState{job(1, false, "throttled")},
		}},
		{"a listing that is no error of the API", "jobs not listed · aliyun_cas_exporter", "aliyuncasdiscoveryfailing", collector.State{API: failing(true), ListingError: "list jobs: incomplete"}},
	} {
		page := show(t, server.Status{Accounts: []collector.State{test.state}})
		title, _, _ := strings.Cut(page[strings.Index(page, "<title>")+len("<title>"):], "</title>")
		_, banner, _ := strings.Cut(page, `<div class="note bad">`)
		if title != test.title || (test.banner == "") != (banner == "") || banner != "" && !strings.Contains(banner, `href="runbooks#`+test.banner) {
			t.Errorf("%s: title %q, want %q with a link to %s:\n%s", test.name, title, test.title, test.banner, banner)
		}
	}
}

// TestManyJobs lists those in trouble first, in every account, and says how many are
// left out.
func TestManyJobs(t *testing.T) {
	for _, test := range []struct{ accounts, jobs, listed int }{{1, 500, 500}, {1, 20_000, 500}, {10, 400, 500}, {300, 8, 1500}} {
		t.Run(fmt.Sprintf("%d accounts of %d", test.accounts, test.jobs), func(t *testing.T) {
			var s server.Status
			for a := range test.accounts {
				account := collector.State{Name: fmt.Sprint("account-", a), Polled: true}
				for id := range test.jobs {
					j := collector.JobState{ID: int64(id + 1), Status: "success", Polled: true, Up: true, Success: now(), Workers: workers(0, 0, 0, 0, 1)}
					switch id {
					case 0:
						j.Up, j.Failure, j.Name = false, "timeout", "unread-job"
					case 1:
						j.Workers, j.Failed, j.Name = workers(0, 0, 0, 0, 0, 1), 1, "failing-job"
						j.Troubles = []collector.Trouble{{Alert: "AliyunCasDeploymentWorkersFailed", Severity: "warning", Rank: 2, Text: "1 resource failed"}}
					}
					account.Jobs = append(account.Jobs, j)
				}
				s.Accounts = append(s.Accounts, account)
			}
			page := show(t, s)
			for text, want := range map[string]int{
				"<tbody": test.listed, "unread-job": test.accounts, "failing-job": test.accounts,
				fmt.Sprintf("<dd>%d</dd>", test.accounts*test.jobs):                                       1,
				fmt.Sprintf(">%d more jobs are not shown", test.jobs-test.listed/test.accounts):           min(1, test.accounts*test.jobs-test.listed) * test.accounts,
				fmt.Sprintf("<title>%d in trouble · %[1]d not read · aliyun_cas_exporter", test.accounts): 1,
			} {
				if got := strings.Count(page, text); got != want {
					t.Errorf("%q is there %d times, want %d", text, got, want)
				}
			}
			if first, second := strings.Index(page, "unread-job"), strings.Index(page, "failing-job"); first < second {
				t.Error("what cannot be read comes before what fails")
			}
			if len(page) > 2<<20 {
				t.Errorf("the page has %d bytes", len(page))
			}
		})
	}
}

// TestContrast compares each pair of colours that meet, light and dark, with what
// WCAG 2 asks for: 4.5 for text, 3 for shapes.
func TestContrast(t *testing.T) {
	text, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(text), "prefers-color-scheme: dark")
	if !found {
		t.Fatal("there is no dark scheme")
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark[:strings.Index(dark, "}\n}")]} {
		luminance := map[string]float64{}
		for _, match := range regexp.MustCompile(`--(\w+): #(\w+)`).FindAllStringSubmatch(css, -1) {
			luminance[match[1]] = luminanceOf(match[2])
		}
		for grounds, inks := range map[[2]string]map[string]float64{
			{"ground", "sheet"}: {"ink": 4.5, "quiet": 4.5, "link": 4.5, "alert": 4.5},
			{"alarm", "sheet"}:  {"ink": 4.5, "quiet": 4.5, "link": 4.5, "alert": 4.5, "good": 3, "bad": 3, "moving": 3, "resting": 3, "other": 3},
		} {
			for ink, least := range inks {
				for _, ground := range grounds {
					a, hasInk := luminance[ink]
					b, hasGround := luminance[ground]
					if got := (max(a, b) + .05) / (min(a, b) + .05); got < least || !hasInk || !hasGround {
						t.Errorf("%s: %s on %s has a contrast of %.2f, want %v", scheme, ink, ground, got, least)
					}
				}
			}
		}
	}
}

func luminanceOf(hex string) float64 {
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		c := float64(n) / 255
		if c <= .03928 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
