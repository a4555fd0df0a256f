package sweep

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"aliyun_cas_exporter/internal/cas"
)

func TestAddressOf(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"www.example.com", ""}:                    "www.example.com:443",
		{"WWW.Example.com", "443"}:                 "www.example.com:443",
		{"www.example.com", "0"}:                   "www.example.com:443",
		{"www.example.com", "8443"}:                "www.example.com:8443",
		{"xn--fsqu00a.xn--0zwm56d", ""}:            "xn--fsqu00a.xn--0zwm56d:443",
		{"a_b.example.com", ""}:                    "a_b.example.com:443",
		{"1.example.com", ""}:                      "1.example.com:443",
		{"localhost", ""}:                          "localhost:443",
		{strings.Repeat("a", 63) + ".example", ""}: strings.Repeat("a", 63) + ".example:443",
		{"", ""}:                                        "",
		{"例子.测试", ""}:                                   "",
		{"\u212a.example.com", ""}:                      "", // whose lower case is k
		{"10.0.0.1", ""}:                                "",
		{"10.0.0.0/24", ""}:                             "",
		{"10.0.0.1-10.0.0.9", ""}:                       "",
		{"2001:db8::1", ""}:                             "",
		{"[2001:db8::1]", ""}:                           "",
		{"a.example.com,b.example.com", ""}:             "",
		{"www.example.com:443", ""}:                     "",
		{"https://www.example.com", ""}:                 "",
		{"www.example.com.", ""}:                        "",
		{"www..example.com", ""}:                        "",
		{"-a.example.com", ""}:                          "",
		{"a-.example.com", ""}:                          "",
		{"www example.com", ""}:                         "",
		{"www.example.com\n", ""}:                       "",
		{strings.Repeat("a", 64) + ".example", ""}:      "",
		{strings.Repeat("aaa.", 63) + "aa.example", ""}: "",
		{"www.example.com", "65536"}:                    "",
		{"www.example.com", "00"}:                       "",
		{"www.example.com", "-1"}:                       "",
		{"www.example.com", "https"}:                    "",
	} {
		address, invalid := addressOf(in[0], in[1])
		got := address.String()
		if invalid {
			got = ""
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// FuzzAddressOf: what counts as a host is one to a prober, and can stand in a URL, a label
// and a line of text.
func FuzzAddressOf(f *testing.F) {
	for _, seed := range [][2]string{{"www.example.com", "443"}, {"10.0.0.1", ""}, {"a_b.c-d", "0"}, {"*.example.com", "1"}, {"\u212a.x", ""}, {"1.2.3", "07"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, domain, port string) {
		a, invalid := addressOf(domain, port)
		if invalid {
			return
		}
		name, _, err := net.SplitHostPort(a.String())
		if err != nil || name != a.Name || !strings.EqualFold(name, domain) || net.ParseIP(name) != nil || a.Port == 0 || len(name) > 253 {
			t.Errorf("%q, %q: got %v (%v)", domain, port, a, err)
		}
		if i := strings.IndexFunc(name, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r) }); i >= 0 {
			t.Errorf("%q: got %q with %q", domain, name, name[i:])
		}
		if again, broken := addressOf(a.Name, fmt.Sprint(a.Port)); broken || again != a {
			t.Errorf("%v: of itself %v", a, again)
		}
	})
}

// TestHosts compares what is kept of workers, in any order and from several reads, with
// what a sorted list of all of them says.
func TestHosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cas.Worker {
			return cas.Worker{
				ResourceDomain: rapid.SampledFrom([]string{"a.example", "b.example", "c.example", "d.example", "e.example", "*.example", ".example", "10.0.0.1", ""}).Draw(t, "domain"),
				Port:           rapid.SampledFrom([]string{"", "443", "8443"}).Draw(t, "port"),
				CertID:         rapid.Int64Range(0, 1).Draw(t, "certificate"),
				CloudProduct:   rapid.SampledFrom([]string{"CDN", "SLB"}).Draw(t, "product"),
			}
		}), 0, 40).Draw(t, "workers")
		most := rapid.IntRange(1, 12).Draw(t, "limit")
		var want []Host
		var none NoHost
		for _, w := range workers {
			switch w.ResourceDomain {
			case "*.example", ".example":
				none.Wildcard++
				continue
			case "10.0.0.1", "":
				none.Invalid++
				continue
			}
			h := Host{Address: Address{w.ResourceDomain, 443}, Deployed: Deployed{CertID: w.CertID, CloudProduct: w.CloudProduct}, Workers: 1}
			if w.Port == "8443" {
				h.Port = 8443
			}
			i := slices.IndexFunc(want, func(o Host) bool { return o.Address == h.Address })
			if i < 0 {
				want = append(want, h)
				continue
			}
			o := &want[i]
			o.Workers++
			o.Ambiguous = o.Ambiguous || o.CertID != h.CertID
			if h.CertID < o.CertID || h.CertID == o.CertID && h.CloudProduct < o.CloudProduct {
				o.Deployed = h.Deployed
			}
		}
		slices.SortFunc(want, func(a, b Host) int { return a.Address.Compare(b.Address) })
		for len(want) > most {
			none.Limit += want[len(want)-1].Workers
			want = want[:len(want)-1]
		}
		all := newHosts()
		rest := rapid.Permutation(workers).Draw(t, "order")
		for len(rest) > 0 {
			n := rapid.IntRange(1, len(rest)).Draw(t, "read")
			part := newHosts()
			for i := range rest[:n] {
				part.add(&rest[i], most)
			}
			if len(part.by) > 2*most {
				t.Fatalf("%d are held, the limit is %d", len(part.by), most)
			}
			all.join(&part, most)
			rest = rest[n:]
		}
		got, gotNone := all.sorted(most)
		if diff := cmp.Diff(append([]Host(nil), want...), append([]Host(nil), got...)); diff != "" || gotNone != none {
			t.Fatalf("got %+v, want %+v; (-want +got)\n%s", gotNone, none, diff)
		}
	})
}
