package cas_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/simulator"
)

// TestCertificatesByOrder lists certificates without an id: of equal ones, the first
// to expire counts.
func TestCertificatesByOrder(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2030, 1, n, 0, 0, 0, 0, time.UTC) }
	order := func(id int64, name string, expires time.Time) simulator.Certificate {
		return simulator.Certificate{OrderID: id, Name: name, CommonName: "*.example.com", NotAfter: expires}
	}
	for name, test := range map[string]struct {
		has  []simulator.Certificate
		want []time.Time
	}{
		"the second expires first":      {[]simulator.Certificate{order(1, "a", day(9)), order(2, "a", day(3))}, []time.Time{day(3)}},
		"the first expires first":       {[]simulator.Certificate{order(1, "a", day(3)), order(2, "a", day(9))}, []time.Time{day(3)}},
		"three, in the middle":          {[]simulator.Certificate{order(1, "a", day(5)), order(2, "a", day(2)), order(3, "a", day(9))}, []time.Time{day(2)}},
		"one without a time":            {[]simulator.Certificate{order(1, "a", time.Time{}), order(2, "a", day(9))}, []time.Time{day(9)}},
		"the last without a time":       {[]simulator.Certificate{order(1, "a", day(9)), order(2, "a", time.Time{})}, []time.Time{day(9)}},
		"other names":                   {[]simulator.Certificate{order(1, "a", day(9)), order(2, "b", day(3))}, []time.Time{day(9), day(3)}},
		"one by its id beside an order": {[]simulator.Certificate{{ID: 5, Name: "a", CommonName: "*.example.com", NotAfter: day(9)}, order(2, "a", day(3))}, []time.Time{day(9), day(3)}},
	} {
		synctest.Test(t, func(t *testing.T) {
			sim := simulator.New(simulator.Options{AccessKeyID: "id", AccessKeySecret: "secret"})
			sim.PutJob(simulator.Job{ID: 8888, Certificates: test.has}, nil)
			client := newClient(t, &api{}, func(o *cas.Options) { o.Transport = sim.Transport() })
			certs, err := client.ListCertificates(t.Context(), 8888)
			if err != nil {
				t.Fatal(err)
			}
			var got []time.Time
			for _, c := range certs {
				got = append(got, c.NotAfter)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}
