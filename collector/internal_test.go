package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// hostile are label values that each format writes in a way of its own.
func hostile() []string {
	return []string{"", "plain", "quote \" backslash \\ newline \n tab \t", `ends with \`, "\n", "ünïcödé 名前 \u202e", strings.Repeat("long ", 1000)}
}

// TestNumbersAndLabels writes numbers and labels of every kind, and compares what stands
// there with what expfmt makes of the same.
func TestNumbersAndLabels(t *testing.T) {
	h := newHead(&description{"test", "A family.", []string{"b", "a"}}, []string{"z"})
	values := []float64{
		0, math.Copysign(0, -1), 1, -1, 0.5, 999_999, 1e6, 1e15, 1e16, 1e21, 123456789.123, 1e-7, -2.5e-10,
		math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN(), math.Inf(1), math.Inf(-1),
	}
	family := &dto.MetricFamily{Name: &h.name, Help: new("A family."), Type: dto.MetricType_GAUGE.Enum()}
	for _, v := range values {
		for _, l := range hostile() {
			family.Metric = append(family.Metric, &dto.Metric{Gauge: &dto.Gauge{Value: new(v)}, Label: []*dto.LabelPair{
				{Name: new("a"), Value: new(l)}, {Name: new("b"), Value: new("x")}, {Name: new("z"), Value: new(l + "z")},
			}})
		}
	}
	for _, format := range []expfmt.Format{expfmt.FmtText, expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtProtoDelim} {
		var want, got bytes.Buffer
		if err := expfmt.NewEncoder(&want, format).Encode(family); err != nil {
			t.Fatal(err)
		}
		e := &exposition{format: format.FormatType(), to: &got}
		err := e.family(h.name, func() {
			e.head = &h
			for _, v := range values {
				for _, l := range hostile() {
					e.fixed = []string{l + "z"}
					e.emit(v, "x", l)
				}
			}
		})
		if err != nil || e.err != nil {
			t.Fatal(err, e.err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			at := 0
			for at < min(got.Len(), want.Len()) && got.Bytes()[at] == want.Bytes()[at] {
				at++
			}
			t.Errorf("%s differs at byte %d: %.80q, want %.80q", format, at, got.Bytes()[at:], want.Bytes()[at:])
		}
	}
}

// TestBrokenFamilies has a family panic before and after its first sample: the next one
// is written whole in every format, and the error says which was broken. A family whose
// samples change while protobuf is written spoils the answer, which the writer must say.
func TestBrokenFamilies(t *testing.T) {
	bad, good := newHead(&description{"bad", "A family.", nil}, nil), newHead(&description{"good", "A family.", nil}, nil)
	for _, format := range []expfmt.FormatType{expfmt.TypeTextPlain, expfmt.TypeOpenMetrics, expfmt.TypeProtoDelim} {
		for before := range 2 {
			var out bytes.Buffer
			e := &exposition{format: format, to: &out}
			err := e.family("bad", func() {
				e.head = &bad
				for range before {
					e.emit(1)
				}
				panic("it cannot be")
			})
			if err == nil || !strings.Contains(err.Error(), "bad: panic: it cannot be") {
				t.Errorf("format %d: got %v, want the family and the panic", format, err)
			}
			if err := e.family("good", func() { e.head = &good; e.emit(42) }); err != nil || e.err != nil {
				t.Errorf("format %d: %v, %v", format, err, e.err)
			}
			if format == expfmt.TypeOpenMetrics {
				if !strings.HasSuffix(out.String(), "\naliyun_cas_good 42.0\n") {
					t.Errorf("OpenMetrics: got %q", out.String())
				}
				continue
			}
			decoder := expfmt.NewDecoder(&out, map[expfmt.FormatType]expfmt.Format{expfmt.TypeTextPlain: expfmt.FmtText, expfmt.TypeProtoDelim: expfmt.FmtProtoDelim}[format])
			found := 0.0
			for {
				var family dto.MetricFamily
				if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("format %d: %v", format, err)
				}
				if family.GetName() == "aliyun_cas_good" {
					found = family.GetMetric()[0].GetGauge().GetValue()
				}
			}
			if found != 42 {
				t.Errorf("format %d, broken after %d samples: the next family is %v, want 42", format, before, found)
			}
		}
	}
	for name, samples := range map[string][2]int{"more": {1, 2}, "fewer": {2, 1}, "none before": {0, 1}} {
		e := &exposition{format: expfmt.TypeProtoDelim, to: io.Discard}
		times := 0
		_ = e.family("bad", func() {
			e.head = &bad
			for range samples[times] {
				e.emit(1)
			}
			times++
		})
		if want := "bad: samples changed while they were written"; fmt.Sprint(e.err) != want {
			t.Errorf("%s samples: got %v, want %s", name, e.err, want)
		}
	}
}
