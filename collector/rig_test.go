package collector_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/simulator"
)

// tb is what testing.TB and rapid.T have in common.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// rig is an exporter without its HTTP side on a simulator without a socket, so
// that it runs in a synctest bubble.
type rig struct {
	*schedule.Account
	facts    *collector.Collector
	sim      *simulator.Simulator
	own      *prometheus.Registry // of the metrics that are no facts
	registry *prometheus.Registry // of both
	log      *bytes.Buffer
	options  schedule.Options
}

// provider has one key for ever. It is asked from many goroutines.
type provider struct{ cred rpc.Credentials }

func (p provider) Credentials(context.Context) (rpc.Credentials, error) { return p.cred, nil }
func (provider) Invalidate()                                            {}

// settings are the defaults of the program, changed by a test.
type settings struct {
	cas.Options
	account schedule.Options
}

// newRig builds an exporter of sim; change may alter its settings.
func newRig(t tb, sim *simulator.Simulator, change func(*settings)) *rig {
	t.Helper()
	r := &rig{sim: sim, own: prometheus.NewPedanticRegistry(), log: &bytes.Buffer{}}
	r.Account, r.options = newAccount(t, r.own, r.log, sim, change)
	r.collect(schedule.Accounts{r.Account})
	return r
}

// collect gathers the accounts, all of whose own metrics are known.
func (r *rig) collect(accounts schedule.Accounts) {
	r.facts, r.registry = collector.New(accounts), prometheus.NewPedanticRegistry()
	r.registry.MustRegister(r.facts, r.own)
}

// newAccount builds the part of an exporter that is about one account.
func newAccount(t tb, registry *prometheus.Registry, log io.Writer, sim *simulator.Simulator, change func(*settings)) (*schedule.Account, schedule.Options) {
	t.Helper()
	s := settings{
		Options: cas.Options{
			Endpoint: "https://cas.aliyuncs.com", RegionID: "cn-hangzhou", Transport: sim.Transport(),
			Provider:       provider{cred: rpc.NewCredentials(simulator.DemoAccessKeyID, simulator.DemoAccessKeySecret, "")},
			RequestTimeout: 15 * time.Second, RequestsPerSecond: 5, Concurrency: 4, MaxAttempts: 4, UserAgent: "test",
		},
		account: schedule.Options{
			PollInterval: time.Minute, ResyncInterval: time.Hour, MaxStaleness: 10 * time.Minute,
			PageSize: 50, MaxJobs: 100_000, MaxWorkers: 200_000, MaxGroups: 2000, MaxNamed: 100, ZeroFill: true, StuckAfter: 15 * time.Minute, TotalShards: 1,
			Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
	}
	if change != nil {
		change(&s)
	}
	s.account.RateLimit, s.account.Concurrency = s.RequestsPerSecond, s.Concurrency
	metrics := collector.NewMetrics(registry, s.account.Name, s.account.Region)
	s.account.Observer, s.Observer = metrics, metrics
	client, err := cas.New(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	s.account.API = client
	return schedule.New(s.account), s.account
}

// expose returns the exposition in the text format.
func (r *rig) expose(t tb) string {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	agree(t, r.facts)
	return text.String()
}

// agree fails unless what a collector writes is what a pedantic registry makes of its
// metrics.
func agree(t tb, c *collector.Collector) {
	t.Helper()
	facts := prometheus.NewPedanticRegistry()
	facts.MustRegister(c)
	for _, format := range []expfmt.Format{expfmt.FmtText, expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtProtoDelim} {
		var want, got bytes.Buffer
		families, err := facts.Gather()
		if err != nil {
			t.Fatalf("gather: %v", err)
		}
		encoder := expfmt.NewEncoder(&want, format)
		for _, family := range families {
			if err = encoder.Encode(family); err != nil {
				t.Fatal(err)
			}
		}
		var names []string
		broken, err := c.Write(&got, format.FormatType(), func(name string) bool {
			names = append(names, name)
			return true
		})
		if broken != nil || err != nil {
			t.Fatal(broken, err)
		}
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Fatalf("families are not written by name, each once: %v", names)
		}
		if format == expfmt.FmtProtoDelim {
			want, got = asText(t, &want), asText(t, &got)
		}
		if diff := cmp.Diff(sorted(want.String()), sorted(got.String())); diff != "" {
			t.Fatalf("%s (-registry +written):\n%s", format, diff)
		}
	}
}

// asText reads delimited protobuf and writes the same as text.
func asText(t tb, proto *bytes.Buffer) (text bytes.Buffer) {
	t.Helper()
	for decoder := expfmt.NewDecoder(proto, expfmt.FmtProtoDelim); ; {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
			return text
		} else if err != nil {
			t.Fatal(err)
		}
		if _, err := expfmt.MetricFamilyToText(&text, &family); err != nil {
			t.Fatal(err)
		}
	}
}

// writeText writes what a collector has as text.
func writeText(w io.Writer, c *collector.Collector) error {
	broken, err := c.Write(w, expfmt.TypeTextPlain, func(string) bool { return true })
	return errors.Join(broken, err)
}

// sorted orders the families of an exposition, and the lines of each.
func sorted(text string) []string {
	families := strings.Split("\n"+text, "\n# HELP ")[1:]
	for i, family := range families {
		lines := strings.Split(strings.TrimSpace(family), "\n")
		slices.Sort(lines[2:])
		families[i] = strings.Join(lines, "\n")
	}
	slices.Sort(families)
	return families
}

// value returns the value of a series, which holds all of labels (as name="value"),
// or "absent". More than one such series is a fault of the test.
func (r *rig) value(t tb, family string, labels ...string) string {
	t.Helper()
	found := r.values(t, family, labels...)
	switch len(found) {
	case 0:
		return "absent"
	case 1:
		return found[0]
	default:
		t.Fatalf("%s%v: %d series", family, labels, len(found))
		return ""
	}
}

// values returns the values of all series of a family that hold all of labels.
func (r *rig) values(t tb, name string, labels ...string) []string {
	t.Helper()
	var found []string
	for _, s := range r.series(t, name) {
		if !slices.ContainsFunc(labels, func(label string) bool {
			name, value, _ := strings.Cut(label, "=")
			held, ok := s.labels[name]
			return !ok || strconv.Quote(held) != value
		}) {
			found = append(found, strconv.FormatFloat(s.value, 'f', -1, 64))
		}
	}
	return found
}

// series returns all series of a family.
func (r *rig) series(t tb, name string) (all []series) {
	t.Helper()
	for _, family := range r.families(t, "aliyun_cas_"+name) {
		for _, m := range family.GetMetric() {
			all = append(all, newSeries(m))
		}
	}
	return all
}

// families returns the family of this name, if it has series. A fact is asked for
// alone: tests ask often.
func (r *rig) families(t tb, name string) (found []*dto.MetricFamily) {
	t.Helper()
	fact := false
	var proto bytes.Buffer
	if broken, err := r.facts.Write(&proto, expfmt.TypeProtoDelim, func(other string) bool {
		fact = fact || other == name
		return other == name
	}); broken != nil || err != nil {
		t.Fatalf("write: %v, %v", broken, err)
	}
	if fact {
		var family dto.MetricFamily
		if err := expfmt.NewDecoder(&proto, expfmt.FmtProtoDelim).Decode(&family); err == nil {
			return []*dto.MetricFamily{&family}
		}
		return nil
	}
	all, err := r.own.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	for _, family := range all {
		if family.GetName() == name {
			found = append(found, family)
		}
	}
	return found
}

// recorder records what a transport served, for comparison with what is exported.
type recorder struct {
	http.RoundTripper
	served func(req *http.Request, body []byte)
}

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, readErr := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	r.served(req, body)
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{readErr}))
	return resp, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}
