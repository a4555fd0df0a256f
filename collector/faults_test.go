package collector_test

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/docsync"
	"aliyun_cas_exporter/internal/reason"
	"aliyun_cas_exporter/internal/simulator"
)

// outcome is what a fault leads to when it meets every page of a job of three
// pages that was read once before: why its poll fails, empty if it does not, and
// the most calls of ListWorkerResource that the poll costs.
type outcome struct {
	reason reason.Reason
	calls  int
}

// outcomes is the contract: by the name of the fault.
func outcomes() map[string]outcome {
	return map[string]outcome{
		"access-forbid":               {reason.Forbidden, 1},
		"bad-request":                 {reason.BadRequest, 1},
		"bom":                         {"", 3},
		"clamp-20":                    {"", 6},
		"clamp-silent":                {"", 6},
		"clamp-unsaid":                {"", 6},
		"clock-skew":                  {reason.Auth, 1},
		"code-500-in-200":             {reason.ServerError, 4},
		"cut-json":                    {reason.Decode, 1},
		"data-missing":                {reason.Decode, 1},
		"data-null":                   {reason.Incomplete, 3},
		"data-object":                 {reason.Decode, 1},
		"deep-json":                   {reason.Decode, 1},
		"disabled-key":                {reason.Auth, 1},
		"duplicate-keys":              {"", 3},
		"duplicate-page":              {reason.Incomplete, 9},
		"duplicate-row":               {"", 3},
		"empty-200":                   {reason.Decode, 1},
		"empty-page":                  {reason.Incomplete, 3},
		"endless-body":                {reason.Decode, 1},
		"endless-rows":                {reason.Decode, 1},
		"endless-string":              {reason.Decode, 1},
		"error-500":                   {reason.ServerError, 4},
		"error-503":                   {reason.ServerError, 4},
		"error-in-200":                {reason.Throttled, 4},
		"expired-token":               {reason.Auth, 1},
		"explicit-deny":               {reason.Forbidden, 1},
		"extra-fields":                {"", 3},
		"filter-ignored":              {"", 3},
		"forbidden":                   {reason.Forbidden, 1},
		"forbidden-400":               {reason.Forbidden, 1},
		"gzip-body":                   {"", 3},
		"gzip-bomb":                   {reason.Decode, 1},
		"hint-empty":                  {reason.BadRequest, 1},
		"hint-word":                   {reason.BadRequest, 1},
		"hint-zero":                   {reason.BadRequest, 1},
		"hostile-labels":              {"", 3},
		"html-200":                    {reason.Decode, 1},
		"html-401":                    {reason.BadRequest, 1},
		"html-403":                    {reason.BadRequest, 1},
		"html-407":                    {reason.BadRequest, 1},
		"html-502":                    {reason.ServerError, 4},
		"ids-19-digits":               {"", 3},
		"insufficient-privilege":      {reason.Forbidden, 1},
		"invalid-utf8":                {"", 3},
		"job-not-found-empty":         {"", 1},
		"json-403":                    {reason.Forbidden, 1},
		"json-array":                  {reason.Decode, 1},
		"json-null":                   {reason.Decode, 1},
		"lowercase-keys":              {reason.Decode, 1},
		"missing-region":              {"", 3},
		"missing-status":              {"", 3},
		"no-auth":                     {reason.Forbidden, 1},
		"no-content-204":              {reason.Decode, 1},
		"no-permission":               {reason.Forbidden, 1},
		"nonce-used":                  {reason.Auth, 4},
		"not-authorized":              {reason.Forbidden, 1},
		"not-found":                   {reason.NotFound, 1},
		"not-json":                    {reason.Decode, 1},
		"nulls":                       {"", 3},
		"numbers-as-strings":          {"", 3},
		"numeric-code":                {reason.ServerError, 4},
		"object-message":              {reason.ServerError, 4},
		"oversized-body":              {reason.Decode, 1},
		"permission-denied":           {reason.Forbidden, 1},
		"redirect":                    {reason.BadRequest, 1},
		"replaced-row":                {reason.Incomplete, 9},
		"reset":                       {reason.Network, 4},
		"risk-control":                {reason.Forbidden, 1},
		"row-id-text":                 {reason.Decode, 1},
		"row-id-zero":                 {reason.Decode, 1},
		"row-null":                    {reason.Decode, 1},
		"row-without-id":              {reason.Decode, 1},
		"short-page":                  {reason.Incomplete, 9},
		"show-size-1":                 {"", 3},
		"show-size-missing":           {"", 3},
		"slow-body":                   {reason.Timeout, 4},
		"slow-headers":                {reason.Timeout, 4},
		"string-access-denied-detail": {reason.Forbidden, 1},
		"strings-as-numbers":          {"", 3},
		"sts-token-invalid":           {reason.Auth, 1},
		"throttle-400":                {reason.Throttled, 4},
		"throttle-429":                {reason.Throttled, 4},
		"throttle-429-as-denial":      {reason.Throttled, 4},
		"throttle-429-no-code":        {reason.Throttled, 4},
		"throttle-429-other-code":     {reason.Throttled, 4},
		"throttle-429-page":           {reason.Throttled, 4},
		"throttle-acs-hint":           {reason.Throttled, 4},
		"throttle-api":                {reason.Throttled, 4},
		"throttle-flow-control":       {reason.Throttled, 4},
		"throttle-hint-200":           {reason.Throttled, 4},
		"throttle-hint-400":           {reason.Throttled, 4},
		"throttle-hint-403":           {reason.Throttled, 4},
		"throttle-hint-503":           {reason.Throttled, 4},
		"throttle-long-hint":          {reason.Throttled, 1},
		"throttle-rejected":           {reason.Throttled, 4},
		"throttle-retry-after":        {reason.Throttled, 4},
		"throttle-retry-after-date":   {reason.Throttled, 4},
		"times-floats":                {"", 3},
		"times-garbage":               {"", 3},
		"times-huge":                  {"", 3},
		"times-negative":              {"", 3},
		"times-seconds":               {"", 3},
		"times-zero":                  {"", 3},
		"token-expired":               {reason.Auth, 1},
		"total-changes":               {reason.Incomplete, 9},
		"total-fraction":              {reason.Decode, 1},
		"total-high":                  {reason.Incomplete, 9},
		"total-huge":                  {reason.Limit, 1},
		"total-low":                   {reason.Incomplete, 9},
		"total-missing":               {reason.Decode, 1},
		"total-negative":              {reason.Decode, 1},
		"total-overflow":              {reason.Decode, 1},
		"total-string":                {"", 3},
		"trailing":                    {reason.Decode, 1},
		"truncated-body":              {reason.Network, 4},
		"unauthenticated":             {reason.Auth, 1},
		"unknown-401":                 {reason.Auth, 1},
		"unknown-403":                 {reason.Forbidden, 1},
		"unknown-4xx":                 {reason.BadRequest, 1},
		"unknown-action":              {reason.BadRequest, 1},
		"unknown-error-in-200":        {reason.ServerError, 4},
		"unknown-product":             {"", 3},
		"unknown-status":              {"", 3},
		"wrong-key":                   {reason.Auth, 1},
		"wrong-signature":             {reason.Auth, 1},
	}
}

// TestFaultTable injects each fault, and compares what is served, counted, logged
// and spent with the contract and with internal/simulator/faults.md.
func TestFaultTable(t *testing.T) {
	want := outcomes()
	table := "| fault | what it is | poll | calls |\n|---|---|---|---|\n"
	names := simulator.FaultNames()
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(want[a].reason, want[b].reason), cmp.Compare(a, b))
	})
	for _, name := range names {
		o, ok := want[name]
		if !ok {
			t.Errorf("%s: no outcome is named", name)
			continue
		}
		if !slices.Contains(immense(), name) {
			synctest.Test(t, func(t *testing.T) { meet(t, name, o) })
		}
		served := "succeeds"
		if o.reason != "" {
			served = "fails as `" + string(o.reason) + "`"
		}
		table += fmt.Sprintf("| `%s` | %s | %s | %d |\n", name, simulator.DescribeFault(name), served, o.calls)
	}
	t.Logf("%d faults", len(names))
	docsync.Check(t, *update, "../internal/simulator/faults.md", "faults", table)
}

// immense are the faults that the quick loop leaves out: their answers of many MB take as
// long as all others.
func immense() []string { return brief([]string{"endless-rows", "oversized-body"}, nil) }

// meet lets a job's poll meet a fault after a good one.
func meet(t *testing.T, name string, want outcome) {
	t.Helper()
	sim := simulator.New(simulator.Options{})
	sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, crowd(120))
	r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{8888} })
	if !r.Poll(t.Context()) {
		t.Fatalf("%s: the poll before the fault failed", name)
	}
	time.Sleep(time.Minute)
	before := r.log.Len()
	sim.ResetStats()
	if err := sim.Inject(name, simulator.Match{Action: "ListWorkerResource"}); err != nil {
		t.Fatal(err)
	}
	up := r.Poll(t.Context())
	if calls := sim.Calls()["ListWorkerResource"]; calls > want.calls || want.calls < 9 && calls < want.calls {
		t.Errorf("%s: %d calls, want %d", name, calls, want.calls)
	}
	if up != (want.reason == "") {
		t.Errorf("%s: up is %v, want %v\n%s", name, up, want.reason == "", r.log)
	}
	var failures []string
	reasons := slices.Sorted(slices.Values(reason.All()))
	for _, why := range reasons {
		failures = append(failures, map[bool]string{true: "1", false: "0"}[why == want.reason])
	}
	if got := r.values(t, "poll_failures_total"); !slices.Equal(got, failures) {
		t.Errorf("%s: counted %v as %v, want %v", name, got, reasons, failures)
	}
	total, counted := fmt.Sprint(len(sim.Workers(8888))), 0
	if name == "job-not-found-empty" {
		total = "0"
	}
	for _, n := range r.values(t, "deployment_workers") {
		group, _ := strconv.Atoi(n)
		counted += group
	}
	if got := r.value(t, "deployment_job_workers"); got != total || fmt.Sprint(counted) != total {
		t.Errorf("%s: %s workers are served and %d counted in groups, want %s", name, got, counted, total)
	}
	if up {
		return
	}
	log := r.log.String()[before:]
	if strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "reason="+string(want.reason)) || !strings.Contains(log, "served_age_seconds=6") && !strings.Contains(log, "served_age_seconds=") {
		t.Errorf("%s: logged %q, want one warning with the reason and the age of what is served", name, log)
	}
}

// TestAFaultOfALaterPage lets one page meet a fault, and not the first: the poll fails for
// that reason, and the job is not read again as if its rows had moved.
func TestAFaultOfALaterPage(t *testing.T) {
	for _, name := range []string{"forbidden", "not-found", "cut-json", "error-500", "throttle-429", "slow-headers"} {
		synctest.Test(t, func(t *testing.T) {
			sim := simulator.New(simulator.Options{})
			sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, crowd(120))
			if err := sim.Inject(name, simulator.Match{Action: "ListWorkerResource", Page: 2}); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, sim, func(s *settings) { s.account.JobIDs = []int64{8888} })
			want := outcomes()[name]
			if r.Poll(t.Context()) || r.value(t, "poll_failures_total", `reason="`+string(want.reason)+`"`) != "1" {
				t.Errorf("%s: want one failure as %s\n%s", name, want.reason, r.log)
			}
			if calls := sim.Calls()["ListWorkerResource"]; calls > 2+want.calls {
				t.Errorf("%s: %d calls, want pages 1 and 3 once, and page 2 %d times", name, calls, want.calls)
			}
		})
	}
}

// TestConnectionFaults meets what only real sockets have.
func TestConnectionFaults(t *testing.T) {
	closed := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return "http://" + l.Addr().String()
	}
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	for name, endpoint := range map[string]string{
		"refused": closed(), "untrusted certificate": untrusted.URL, "no TLS": strings.Replace(plain.URL, "http", "https", 1),
		"old TLS": old.URL, "unknown host": "https://cas.invalid",
	} {
		r := newRig(t, simulator.New(simulator.Options{}), func(s *settings) {
			s.Endpoint, s.Transport, s.MaxAttempts, s.account.JobIDs = endpoint, rpc.NewTransport(1, nil), 1, []int64{8888}
			s.RequestsPerSecond = 1000 // this clock is real
		})
		if r.Poll(t.Context()) {
			t.Errorf("%s: the poll succeeded", name)
		}
		if got := r.value(t, "poll_failures_total", `reason="network"`); got != "1" {
			t.Errorf("%s: not counted as network:\n%s", name, r.log)
		}
		if text := r.log.String(); strings.Contains(text, "Signature") || strings.Contains(text, simulator.DemoAccessKeyID) {
			t.Errorf("%s: the log holds the request: %s", name, text)
		}
	}
}
