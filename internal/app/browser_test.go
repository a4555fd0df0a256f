package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// TestPagesInBrowser opens the start page of the whole exporter in a real Chromium,
// the one that CHROMIUM names: light, dark, and as wide as a phone. The pages must
// not be wider than the window, run no script, ask for nothing but their own style
// and icon, violate no policy, and be tables to a screen reader. With SCREENSHOTS
// set, pictures go to that folder.
func TestPagesInBrowser(t *testing.T) {
	if os.Getenv("CHROMIUM") == "" {
		t.Skip("set CHROMIUM to its path, as `.ci/test.sh browser` does")
	}
	b := openBrowser(t)
	light, dark, phone := view{"light", "light", 1200, 900}, view{"dark", "dark", 1200, 900}, view{"phone", "light", 390, 844}
	for _, page := range []struct {
		name  string
		sim   *simulator.Simulator
		views []view
		holds []string
	}{
		{"demo", nil, []view{light, dark, phone}, []string{"Demo.", "wildcard-example-com", "rollback_error"}},
		{"outage", outage(t), []view{light, phone}, []string{
			"The jobs cannot be listed", "Poll failed: throttled.", "Lower CAS_REQUESTS_PER_SECOND", "Poll failed: server_error.", "not read yet",
		}},
		{"hostile", hostile(), []view{dark, phone}, []string{`<script>document.title='ran'</script>`, `"><img src=x onerror=document.title='ran'>`, "nohsrever"}},
	} {
		t.Run(page.name, func(t *testing.T) {
			address := serveExporter(t, page.sim)
			for _, v := range page.views {
				b.look(t, "http://"+address+"/", page.name, v, page.holds)
			}
		})
	}
}

// serveExporter runs the exporter on a simulator, or the demo, until it has polled
// twice.
func serveExporter(t *testing.T, sim *simulator.Simulator) (address string) {
	t.Helper()
	endpoint, args := "", []string{"--demo"}
	if sim != nil {
		api := httptest.NewServer(sim)
		t.Cleanup(api.Close)
		endpoint, args = api.URL, nil
	}
	environment(t, endpoint, map[string]string{
		"CAS_WEB_LISTEN_ADDRESS": anyPort, "CAS_POLL_INTERVAL": "2s", "CAS_MAX_ATTEMPTS": "1",
	})
	s := serve(t, args...)
	address = s.address(t)
	third := regexp.MustCompile(`aliyun_cas_api_requests_total\{action="ListDeploymentJob"\} ([3-9]|\d\d)`)
	s.until(t, "the third poll begins", func() bool {
		metrics, _ := get(t.Context(), "http://"+address+"/metrics")
		return third.MatchString(metrics)
	})
	if sim == nil && os.Getenv("SCREENSHOTS") != "" {
		time.Sleep(2 * time.Minute) // so that the demo has something to show
	}
	return address
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
	return sim
}

// view is how a page is looked at.
type view struct {
	name, scheme  string
	width, height int
}

// look opens a page in a tab of its own and judges it.
func (b *browser) look(t *testing.T, address, name string, v view, holds []string) {
	t.Helper()
	name = name + "-" + v.name
	var target struct{ TargetID string }
	b.call(t, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var tab struct{ SessionID string }
	b.call(t, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &tab)
	for _, domain := range []string{"Page", "Network", "Log", "Runtime", "Accessibility"} {
		b.call(t, tab.SessionID, domain+".enable", nil, nil)
	}
	b.call(t, tab.SessionID, "Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": v.scheme}}}, nil)
	b.call(t, tab.SessionID, "Emulation.setDeviceMetricsOverride", map[string]any{"width": v.width, "height": v.height, "deviceScaleFactor": 1, "mobile": v.width < 600}, nil)
	b.events = nil
	b.call(t, tab.SessionID, "Page.navigate", map[string]any{"url": address}, nil)
	b.until(t, "Page.loadEventFired")
	var got struct {
		Result struct {
			Value struct {
				Title, Text           string
				Wide, Scripts, Height int
				Background            string
			}
		}
	}
	b.call(t, tab.SessionID, "Runtime.evaluate", map[string]any{"returnByValue": true, "expression": `({
		title: document.title, text: document.body.innerText, scripts: document.scripts.length,
		wide: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight,
		background: getComputedStyle(document.body).backgroundColor,
	})`}, &got)
	page := got.Result.Value
	for _, text := range holds {
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
	b.listen(t, tab.SessionID, name)
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		var shot struct{ Data []byte }
		b.call(t, tab.SessionID, "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "clip": map[string]any{
			"x": 0, "y": 0, "width": v.width, "height": min(page.Height, 1600), "scale": 1,
		}}, &shot)
		if err := os.WriteFile(filepath.Join(dir, name+".png"), shot.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.call(t, "", "Target.closeTarget", map[string]any{"targetId": target.TargetID}, nil)
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
			t.Errorf("%s: the browser says: %s %s", name, e.Method, e.Params.Entry.Text)
		}
	}
	if requests < 2 {
		t.Errorf("%s: %d requests were seen, want the page and its style", name, requests)
	}
}

// listen fails when the page is no table to a screen reader: a style that breaks it
// up for narrow windows must not take its meaning.
func (b *browser) listen(t *testing.T, session, name string) {
	t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored bool
			Role    struct{ Value string }
		}
	}
	b.call(t, session, "Accessibility.getFullAXTree", nil, &tree)
	heard := map[string]int{}
	for _, node := range tree.Nodes {
		if !node.Ignored {
			heard[node.Role.Value]++
		}
	}
	jobs := heard["rowheader"]
	if heard["table"] != 1 || heard["columnheader"] != 4 || jobs == 0 || heard["row"] <= jobs || heard["cell"] < 3*jobs {
		t.Errorf("%s is heard as %v", name, heard)
	}
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
		Entry   struct{ Text string }
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
