package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// TestPagesInBrowser opens the pages of the whole exporter in a real Chromium, the one
// that CHROMIUM names: light, dark, and as wide as a phone. The pages must not be wider than
// the window, run no script, ask for nothing but their own style and icon, violate no
// policy, be tables to a screen reader, and be used with the keyboard alone. With
// SCREENSHOTS set, pictures go to that folder.
func TestPagesInBrowser(t *testing.T) {
	if os.Getenv("CHROMIUM") == "" {
		t.Skip("set CHROMIUM to its path, as `.ci/test.sh browser` does")
	}
	b := openBrowser(t)
	light, dark, phone := view{"light", "light", 1200, 900}, view{"dark", "dark", 1200, 900}, view{"phone", "light", 390, 844}
	short := map[string]string{"CAS_MAX_STALENESS": "4s"}
	narrow := map[string]string{"CAS_DISCOVERY_NAME_REGEXP": "^renew-(www|api)$"}
	for _, site := range []struct {
		name     string
		sim      *simulator.Simulator
		settings map[string]string
		until    string // the metrics match this
		looks    []look
	}{
		{"demo", nil, nil, polled, []look{
			{"demo", "", []view{light, dark, phone}, 1, true, []string{"Demo.", "wildcard-example-com", "rollback_error", "could not be rolled back", "does not move"}},
			{"job", "jobs/240510", []view{light, dark, phone}, 4, true, []string{"wildcard-example-com", "3 resources failed", "port 443", "Certificates", "*.example.com"}},
			{"job-missing", missing, []view{light, phone}, 0, false, []string{"Job 4711 is not watched", "CAS_DISCOVERY_MAX_AGE"}},
			{"filtered", "?alert=any&q=WILDCARD", []view{phone}, 1, false, []string{"wildcard-example-com", "Show all"}},
		}},
		{"outage", outage(t), nil, polled, []look{
			{"outage", "", []view{light, phone}, 1, true, []string{"The last list of jobs is kept.", "not read: throttled", "Lower CAS_REQUESTS_PER_SECOND", "server_error", "not read yet"}},
			{"job-unread", "jobs/302", []view{light}, 0, false, []string{"The last poll failed: forbidden.", "never read", "deploy/ram-policy.json"}},
		}},
		{"hostile", hostile(), nil, polled, []look{
			{"hostile", "", []view{dark, phone}, 1, true, []string{`<script>document.title='ran'</script>`, `"><img src=x onerror=document.title='ran'>`, "nohsrever"}},
			{"job-hostile", "jobs/2", []view{dark, phone}, 2, true, []string{`"><img src=x onerror=document.title='ran'>`, `<script src=//evil.example/x.js></script>`}},
			{"job-hundred", "jobs/100", []view{dark, phone}, 2, true, []string{"100 of 120", "20 more are not shown", "worker 1"}},
		}},
		{"empty", empty(), narrow, polled, []look{
			{"empty", "", []view{light}, 0, true, []string{"There is no job to watch.", "CAS_DISCOVERY_MAX_AGE", "^renew-(www|api)$"}},
		}},
		{"no workers", empty(), nil, polled, []look{
			{"job-empty", "jobs/7", []view{light}, 0, true, []string{"without-workers", "CAS reports no trouble with this job"}},
		}},
		{"stale", stale(t), short, `deployment_job_up\{job_id="401"\} 0`, []look{
			{"job-stale", "jobs/401", []view{light}, 0, true, []string{"too old to be shown", "not confirmed", "The API of Alibaba Cloud cannot be read.", "network"}},
			{"stale", "", []view{light}, 1, false, []string{"The API of Alibaba Cloud cannot be read.", "too old to be shown"}},
		}},
		{"refused", refused(t), nil, `api_up 0`, []look{
			{"refused", "", []view{light}, 0, true, []string{"Alibaba Cloud refuses the credentials.", "InvalidAccessKeyId.NotFound", "The list of jobs is not known."}},
		}},
	} {
		t.Run(site.name, func(t *testing.T) {
			address := "http://" + serveExporter(t, site.sim, site.settings, regexp.MustCompile(site.until)) + "/"
			for _, l := range site.looks {
				for _, v := range l.views {
					b.look(t, address, l, v)
				}
			}
			if site.name == "demo" {
				b.walk(t, address)
			}
		})
	}
}

// polled matches the metrics of an exporter that has listed jobs twice, and polled them.
const polled = `aliyun_cas_api_requests_total\{action="ListDeploymentJob"\} ([3-9]|\d\d)`

// missing is the address of a job that there is not; the browser complains about that.
const missing = "jobs/4711"

// look is a page, with how many tables it is heard to have and what it shows.
type look struct {
	name, path string
	views      []view
	tables     int
	pictured   bool
	holds      []string
}

// serveExporter runs the exporter on a simulator, or the demo, until its metrics match.
func serveExporter(t *testing.T, sim *simulator.Simulator, more map[string]string, until *regexp.Regexp) (address string) {
	t.Helper()
	endpoint, args := "", []string{"--demo"}
	if sim != nil {
		api := httptest.NewServer(sim)
		t.Cleanup(api.Close)
		endpoint, args = api.URL, nil
	}
	settings := map[string]string{"CAS_WEB_LISTEN_ADDRESS": anyPort, "CAS_POLL_INTERVAL": "2s", "CAS_MAX_ATTEMPTS": "1"}
	maps.Copy(settings, more)
	environment(t, endpoint, settings)
	s := serve(t, args...)
	address = s.address(t)
	s.until(t, "the metrics match "+until.String(), func() bool {
		metrics, _ := get(t.Context(), "http://"+address+"/metrics")
		return until.MatchString(metrics)
	})
	switch {
	case sim == nil && os.Getenv("SCREENSHOTS") != "":
		time.Sleep(2 * time.Minute) // so that the demo has something to show
	case more["CAS_MAX_STALENESS"] != "":
		time.Sleep(7 * time.Second) // longer than that
	}
	return address
}

// empty is an account with one job, which has no workers.
func empty() *simulator.Simulator {
	sim := simulator.New(simulator.Options{})
	sim.PutJob(simulator.Job{ID: 7, Name: "without-workers", Status: "editing", JobType: "user", CertType: "upload", Created: time.Now(), Modified: time.Now()}, nil)
	return sim
}

// stale is an account that nobody can read after a while.
func stale(t *testing.T) *simulator.Simulator {
	t.Helper()
	sim := simulator.New(simulator.Options{})
	sim.PutJob(simulator.Job{ID: 401, Name: "shop-example-net", Status: "processing", Modified: time.Now()}, []simulator.Worker{
		{ID: 1, Status: "error", CloudProduct: "ALB", RegionID: "cn-hangzhou", Modified: time.Now()},
	})
	if err := sim.Inject("reset", simulator.Match{Skip: 12}); err != nil {
		t.Fatal(err)
	}
	return sim
}

// refused is an account whose key was deleted.
func refused(t *testing.T) *simulator.Simulator {
	t.Helper()
	sim := simulator.New(simulator.Options{})
	if err := sim.Inject("wrong-key", simulator.Match{}); err != nil {
		t.Fatal(err)
	}
	return sim
}

// outage is an account whose listing and some of whose jobs fail after a while, and
// one from the beginning.
func outage(t *testing.T) *simulator.Simulator {
	t.Helper()
	sim := simulator.New(simulator.Options{})
	job := func(id int64, name string, good, bad int) {
		var workers []simulator.Worker
		for i := range good + bad {
			status := "success"
			if i >= good {
				status = []string{"error", "processing"}[i%2]
			}
			workers = append(workers, simulator.Worker{ID: id*100 + int64(i), Status: status, CloudProduct: "ALB", RegionID: "cn-hangzhou", Modified: time.Now()})
		}
		sim.PutJob(simulator.Job{ID: id, Name: name, Status: "processing", Modified: time.Now()}, workers)
	}
	job(301, "wildcard-example-com", 31, 3)
	job(302, "shop-example-net", 12, 0)
	job(303, "api-example-org", 20, 9)
	job(304, "static-example-com", 48, 0)
	for _, f := range []struct {
		name  string
		match simulator.Match
	}{
		{"html-502", simulator.Match{Action: "ListDeploymentJob", Skip: 1}},
		{"throttle-429", simulator.Match{Action: "ListWorkerResource", JobID: 301, Skip: 1}},
		{"error-503", simulator.Match{Action: "ListWorkerResource", JobID: 303, Skip: 1}},
		{"forbidden", simulator.Match{Action: "ListWorkerResource", JobID: 302}},
	} {
		if err := sim.Inject(f.name, f.match); err != nil {
			t.Fatal(err)
		}
	}
	return sim
}

// hostile is an account whose names attack the page.
func hostile() *simulator.Simulator {
	sim := simulator.New(simulator.Options{})
	for i, name := range []string{
		`<script>document.title='ran'</script>`,
		`"><img src=x onerror=document.title='ran'>`,
		`</th></tr></table></main><h1>pwned</h1>`,
		`javascript:document.title='ran'//{{.}}`,
		"\u202enohsrever\u202c \u2066isolated\u2069 \u200b\u00ad",
		"two\nlines\ttabs\x00nul",
		strings.Repeat("long-", 2_000),
		strings.Repeat("Z\u0301\u0302\u0303\u0304\u0305\u0306\u0307", 20),
		"مرحبا 证书 сертификат",
	} {
		sim.PutJob(simulator.Job{ID: int64(i + 1), Name: name, Status: "processing", Modified: time.Now()}, []simulator.Worker{
			{ID: 1, Status: `<b onmouseover=document.title='ran'>`, CloudProduct: "SLB"},
			{ID: 2, Status: "error", CloudProduct: `'"><script src=//evil.example/x.js></script>`, CertName: name, Modified: time.Now()},
		})
	}
	var hundred []simulator.Worker
	for i := range 120 {
		hundred = append(hundred, simulator.Worker{
			ID: int64(i + 1), Status: "error", CloudProduct: "ALB", RegionID: "cn-hangzhou", InstanceID: "alb-" + strings.Repeat("x", 40), ListenerID: fmt.Sprint("lsn-", i),
			Port: 443, ResourceDomain: strings.Repeat("sub.", 30) + "example.com", CertName: strings.Repeat("certificate", 12), Modified: time.Now().Add(-time.Duration(i) * time.Hour),
		})
	}
	sim.PutJob(simulator.Job{ID: 100, Name: "hundred", Status: "error", Modified: time.Now()}, hundred)
	return sim
}

// view is how a page is looked at.
type view struct {
	name, scheme  string
	width, height int
}

// open opens a page in a tab of its own.
func (b *browser) open(t *testing.T, address string, v view) (session string) {
	t.Helper()
	var target struct{ TargetID string }
	b.call(t, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var tab struct{ SessionID string }
	b.call(t, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &tab)
	for _, domain := range []string{"Page", "Network", "Log", "Runtime", "Accessibility"} {
		b.call(t, tab.SessionID, domain+".enable", nil, nil)
	}
	b.call(t, tab.SessionID, "Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": v.scheme}}}, nil)
	b.call(t, tab.SessionID, "Emulation.setDeviceMetricsOverride", map[string]any{"width": v.width, "height": v.height, "deviceScaleFactor": 1, "mobile": v.width < 600}, nil)
	b.call(t, tab.SessionID, "Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
	b.events = nil
	b.call(t, tab.SessionID, "Page.navigate", map[string]any{"url": address}, nil)
	b.until(t, "Page.loadEventFired")
	t.Cleanup(func() { b.call(t, "", "Target.closeTarget", map[string]any{"targetId": target.TargetID}, nil) })
	return tab.SessionID
}

// look looks at a page and judges it.
func (b *browser) look(t *testing.T, address string, l look, v view) {
	t.Helper()
	name := l.name + "-" + v.name
	session := b.open(t, address+l.path, v)
	var got struct {
		Result struct {
			Value struct {
				Title, Text           string
				Wide, Scripts, Height int
				Background            string
			}
		}
	}
	b.call(t, session, "Runtime.evaluate", map[string]any{"returnByValue": true, "expression": `({
		title: document.title, text: document.body.innerText, scripts: document.scripts.length,
		wide: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight,
		background: getComputedStyle(document.body).backgroundColor,
	})`}, &got)
	page := got.Result.Value
	for _, text := range l.holds {
		if !strings.Contains(page.Text, text) {
			t.Errorf("%s does not show %q", name, text)
		}
	}
	if !strings.HasSuffix(page.Title, "aliyun_cas_exporter") || page.Scripts != 0 {
		t.Errorf("%s: a script ran: title %q, %d scripts", name, page.Title, page.Scripts)
	}
	if page.Wide > v.width {
		t.Errorf("%s is %d pixels wide", name, page.Wide)
	}
	b.judge(t, name, address)
	b.listen(t, session, name, l.tables)
	if dir := os.Getenv("SCREENSHOTS"); dir != "" && l.pictured {
		var shot struct{ Data []byte }
		b.call(t, session, "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "clip": map[string]any{
			"x": 0, "y": 0, "width": v.width, "height": min(page.Height, 1600), "scale": 1,
		}}, &shot)
		if err := os.WriteFile(filepath.Join(dir, name+".png"), shot.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// judge fails for each request that leaves the page and each thing that the browser
// complains about.
func (b *browser) judge(t *testing.T, name, address string) {
	t.Helper()
	requests := 0
	for _, e := range b.events {
		switch e.Method {
		case "Network.requestWillBeSent":
			requests++
			if !strings.HasPrefix(e.Params.Request.URL, address) {
				t.Errorf("%s asks for %s", name, e.Params.Request.URL)
			}
		case "Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled":
			if e.Params.Entry.URL == address+missing && strings.Contains(e.Params.Entry.Text, "404") {
				continue
			}
			t.Errorf("%s: the browser says: %s %s", name, e.Method, e.Params.Entry.Text)
		}
	}
	if requests < 2 {
		t.Errorf("%s: %d requests were seen, want the page and its style", name, requests)
	}
}

// listen fails when a screen reader does not hear the tables of a page, each by its own
// name, or something that can be used without a name. A style that breaks a table up for
// narrow windows must not take its meaning.
func (b *browser) listen(t *testing.T, session, name string, tables int) {
	t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value string }
		}
	}
	b.call(t, session, "Accessibility.getFullAXTree", nil, &tree)
	heard, names := map[string]int{}, map[string]bool{}
	for _, node := range tree.Nodes {
		if node.Ignored {
			continue
		}
		role, called := node.Role.Value, node.Name.Value
		heard[role]++
		switch role {
		case "table":
			if called == "" || names[called] {
				t.Errorf("%s: a table is called %q", name, called)
			}
			names[called] = true
		case "link", "combobox", "searchbox", "button", "search", "heading", "MenuListPopup":
			if called == "" && role != "MenuListPopup" {
				t.Errorf("%s: a %s has no name", name, role)
			}
		}
	}
	rows := heard["rowheader"]
	if heard["table"] != tables || heard["columnheader"] < 4*tables || tables > 0 && rows == 0 || heard["row"] < rows+tables || heard["cell"] < 3*rows {
		t.Errorf("%s is heard as %v, want %d tables", name, heard, tables)
	}
	if heard["main"] != 1 || heard["navigation"] != 1 || heard["heading"] == 0 {
		t.Errorf("%s has no main part, navigation or heading: %v", name, heard)
	}
}

// key presses a key.
func (b *browser) key(t *testing.T, session, key string, code int, text string) {
	t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		event := map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
		if kind == "keyDown" && text != "" {
			event["text"] = text
		}
		b.call(t, session, "Input.dispatchKeyEvent", event, nil)
	}
}

// evaluate returns the text that an expression is worth.
func (b *browser) evaluate(t *testing.T, session, expression string) string {
	t.Helper()
	var got struct{ Result struct{ Value string } }
	b.call(t, session, "Runtime.evaluate", map[string]any{"returnByValue": true, "expression": "String(" + expression + ")"}, &got)
	return got.Result.Value
}

// tabs goes through a page by the tab key: everything that can be used comes by, in order,
// and to be seen.
func (b *browser) tabs(t *testing.T, session string) {
	t.Helper()
	const tab = 9
	const usable = `[...document.querySelectorAll('a[href],select,input,button')]`
	want := b.evaluate(t, session, usable+`.length`)
	for i := range 200 {
		b.key(t, session, "Tab", tab, "")
		at := b.evaluate(t, session, usable+`.indexOf(document.activeElement)`)
		if at != strconv.Itoa(i) {
			if strconv.Itoa(i) != want || i == 0 {
				t.Errorf("after %d keys the focus is on %s of %s", i+1, at, want)
			}
			return
		}
		if style := b.evaluate(t, session, `getComputedStyle(document.activeElement).outlineStyle`); style != "solid" {
			t.Errorf("the focus on %s is not to be seen: %s", b.evaluate(t, session, `document.activeElement.outerHTML`), style)
		}
	}
}

// walk uses the pages with the keyboard alone: it types a filter and opens a job.
func (b *browser) walk(t *testing.T, address string) {
	t.Helper()
	const enter = 13
	session := b.open(t, address, view{"keyboard", "light", 1200, 900})
	b.tabs(t, session)
	b.evaluate(t, session, `document.querySelector('input[name=q]').focus()`)
	b.call(t, session, "Input.insertText", map[string]any{"text": "wildcard"}, nil)
	b.events = nil
	b.key(t, session, "Enter", enter, "\r")
	b.until(t, "Page.loadEventFired")
	if found := b.evaluate(t, session, `document.querySelectorAll('tbody').length + document.title`); !strings.HasPrefix(found, "1") {
		t.Errorf("the filter finds %s on %s", found, b.evaluate(t, session, `location`))
	}
	b.evaluate(t, session, `document.querySelector('tbody a').focus()`)
	b.events = nil
	b.key(t, session, "Enter", enter, "\r")
	b.until(t, "Page.loadEventFired")
	if at := b.evaluate(t, session, `location`); at != address+"jobs/240510" {
		t.Errorf("the job's link leads to %s", at)
	}
	b.tabs(t, session)
	b.judge(t, "keyboard", address)
}

// browser is a Chromium that is spoken to by the DevTools protocol over pipes.
type browser struct {
	in     io.Writer
	out    *bufio.Scanner
	id     int
	events []message
}

// message is an answer or an event, with the fields that matter here.
type message struct {
	ID     int
	Method string
	Result json.RawMessage
	Error  *struct{ Message string }
	Params struct {
		Request struct{ URL string }
		Entry   struct{ Text, URL string }
	}
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	cmd := exec.CommandContext(ctx, os.Getenv("CHROMIUM"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--user-data-dir="+t.TempDir(), "--remote-debugging-pipe")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirIn.Close(), theirOut.Close()
	b := &browser{in: in, out: bufio.NewScanner(out)}
	b.out.Buffer(nil, 64<<20)
	b.out.Split(func(data []byte, _ bool) (int, []byte, error) {
		if end := bytes.IndexByte(data, 0); end >= 0 {
			return end + 1, data[:end], nil
		}
		return 0, nil, nil
	})
	t.Cleanup(func() {
		b.call(t, "", "Browser.close", nil, nil)
		_ = cmd.Wait()
		cancel()
	})
	return b
}

// next reads a message; events are kept.
func (b *browser) next(t *testing.T) message {
	t.Helper()
	if !b.out.Scan() {
		t.Fatalf("the browser is gone: %v", b.out.Err())
	}
	var m message
	if err := json.Unmarshal(b.out.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if m.Method != "" {
		b.events = append(b.events, m)
	}
	return m
}

func (b *browser) until(t *testing.T, event string) {
	t.Helper()
	for m := b.next(t); m.Method != event; m = b.next(t) {
		continue
	}
}

// call makes a call and decodes its result.
func (b *browser) call(t *testing.T, session, method string, params map[string]any, result any) {
	t.Helper()
	b.id++
	request := map[string]any{"id": b.id, "method": method, "params": params}
	if session != "" {
		request["sessionId"] = session
	}
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		m := b.next(t)
		switch {
		case m.ID != b.id:
			continue
		case m.Error != nil:
			t.Fatalf("%s: %s", method, m.Error.Message)
		case result != nil:
			if err := json.Unmarshal(m.Result, result); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
}
