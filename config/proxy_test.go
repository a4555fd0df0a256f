package config_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

const (
	notAProxy = "is not the address of a proxy such as http://proxy.example.com:3128; in a user name or password write # as %23, / as %2F, a space as %20 and % as %25"
	noScheme  = "must begin with http://, https://, socks5:// or socks5h://"
	tooLong   = "must end after the port; in a user name or password write # as %23, / as %2F and ? as %3F"
	badPort   = "has a port that is not between 1 and 65535"
)

// TestProxies has the forms in which proxies are written: the host that is asked,
// or the fault. No text shows a password.
func TestProxies(t *testing.T) {
	for _, test := range []struct{ value, host, fault string }{
		{"http://proxy:3128", "proxy:3128", ""},
		{"proxy:3128", "proxy:3128", ""},
		{"proxy", "proxy", ""},
		{"http://proxy:3128/", "proxy:3128", ""},
		{"HTTP://Proxy.Example:3128", "Proxy.Example:3128", ""},
		{"https://proxy", "proxy", ""},
		{"socks5://user:CANARY@proxy:1080", "proxy:1080", ""},
		{"socks5h://proxy", "proxy", ""},
		{"http://[::1]:3128", "[::1]:3128", ""},
		{"http://[fe80::1%25eth0]:3128", "[fe80::1%25eth0]:3128", ""},
		{"http://user:CANARY@proxy:3128", "proxy:3128", ""},
		{"user:CANARY@proxy:3128", "proxy:3128", ""},
		{"http://user:CANARY%23%2F%20%40@proxy:3128", "proxy:3128", ""},
		{"http://user:CANARY@with-an-at@proxy:3128", "proxy:3128", ""},
		{"\n  http://user:CANARY@proxy:3128\r\n", "proxy:3128", ""},

		{"http://user:CANARY#x@proxy:3128", "", notAProxy},
		{"http://user:1#CANARY@proxy:3128", "", tooLong}, // port 1 of a host called user
		{"http://user:CANARY/x@proxy:3128", "", notAProxy},
		{"http://user:1/CANARY@proxy:3128", "", tooLong},
		{"http://user:CANARY?x@proxy:3128", "", notAProxy},
		{"http://user:1?CANARY@proxy:3128", "", tooLong},
		{"http://user:CANARY x@proxy:3128", "", notAProxy},
		{"http://user:CANARY%@proxy:3128", "", notAProxy},
		{`http://DOMAIN\user:CANARY@proxy:3128`, "", notAProxy},
		{"http://user:CANARY\n@proxy:3128", "", notAProxy},
		{"http://user:CANARY@", "", notAProxy},
		{"http://user:CANARY@proxy:port", "", notAProxy},
		{"http://user:CANARY@proxy:99999", "", badPort},
		{"http://user:CANARY@proxy:0", "", badPort},
		{"http://user:CANARY@proxy:", "", badPort},
		{"http://user:CANARY@proxy:31 28", "", notAProxy},
		{"http://:3128", "", notAProxy},
		{"//user:CANARY@proxy:3128", "", notAProxy},
		{"http:/user:CANARY@proxy:3128", "", tooLong},
		{"ftp://user:CANARY@proxy:21", "", noScheme},
		{"http://user:CANARY@proxy:3128,http://other:3128", "", notAProxy},
		{"http://user:CANARY@proxy:3128/proxy.pac", "", tooLong},
		{"http://user:CANARY@proxy:3128 # the new one", "", notAProxy},
		{`"http://user:CANARY@proxy:3128"`, "", notAProxy},
		{"'proxy:3128'", "", notAProxy},
		{"http://${PROXY_HOST}:3128", "", notAProxy},
		{"http://user:CANARY@::1:3128", "", notAProxy},
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			s, err := load(t, with(name, test.value), "--check-config")
			got, host := "", ""
			if err != nil {
				got = err.Error()
			} else {
				u, parseErr := url.Parse(string(s.Proxy.HTTPS) + string(s.Proxy.HTTP))
				if parseErr != nil {
					t.Fatal(parseErr)
				}
				host = u.Host
				scheme, _, _ := strings.Cut(strings.ToLower(name), "_")
				if want := "# requests to " + scheme + ":// go through the proxy of: " + name + "\n"; !strings.Contains(effective(s), want) {
					t.Errorf("%s=%q: got %s, want %s", name, test.value, effective(s), want)
				}
				if strings.Contains(effective(s)+fmt.Sprintf("%v %+v %#v %q", s, *s, s.Proxy, s.Proxy), "CANARY") {
					t.Errorf("%s=%q: a password is shown", name, test.value)
				}
			}
			want := ""
			if test.fault != "" {
				want = name + ": " + test.fault
			}
			if u, parseErr := url.Parse("//" + test.host); got != want || parseErr != nil || host != u.Host {
				t.Errorf("%s=%q: got host %q and %q, want %q and %q", name, test.value, host, got, test.host, want)
			}
		}
	}
}

// TestProxyVariables holds which of several variables is taken.
func TestProxyVariables(t *testing.T) {
	s := good(t, with("HTTPS_PROXY", "http://a:1", "https_proxy", "http://b:1", "HTTP_PROXY", " ", "http_proxy", "c:1", "no_proxy", " x,.y \n"))
	if s.Proxy.HTTPS != "http://a:1" || s.Proxy.HTTP != "http://c:1" || s.Proxy.NoProxy != "x,.y" {
		t.Errorf("got %s, %s, %s", string(s.Proxy.HTTPS), string(s.Proxy.HTTP), s.Proxy.NoProxy)
	}
	for _, test := range []struct{ name, value, want string }{
		{"NO_PROXY", "a b", "NO_PROXY: hosts must be separated by commas"},
		{"no_proxy", "a;b", "NO_PROXY: hosts must be separated by commas"},
		{"NO_PROXY", "a, .b ,10.0.0.0/8,*", ""},
		{"ALL_PROXY", "socks5://user:CANARY@x", "ALL_PROXY is not used; set HTTPS_PROXY"},
		{"all_proxy", "http://user:CANARY@x", "ALL_PROXY is not used; set HTTPS_PROXY"},
		{"http_proxy", "http://user:CANARY@x", "HTTP_PROXY is not used for the API, which is at https://; set HTTPS_PROXY"},
		{"https_proxy", "http://user:CANARY@x", ""},
	} {
		if got := strings.Join(good(t, with(test.name, test.value)).Warnings, "\n"); got != test.want {
			t.Errorf("%s=%s: got %q, want %q", test.name, test.value, got, test.want)
		}
	}
	if want := "# but not to the hosts of NO_PROXY\n"; !strings.Contains(effective(s), want) {
		t.Errorf("got %s, want %s", effective(s), want)
	}
	for _, mode := range []string{"--demo", "--healthcheck"} { // which leave the host alone
		if _, err := load(t, with("HTTPS_PROXY", "http://a:b"), mode); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
	if _, err := load(t, with("HTTPS_PROXY", "http://a:b", "http_proxy", "c#", "CAS_PAGE_SIZE", "x")); fmt.Sprint(err) !=
		"HTTPS_PROXY: "+notAProxy+"\nhttp_proxy: "+tooLong+"\nCAS_PAGE_SIZE: \"x\" is not a whole number" {
		t.Errorf("got %v", err)
	}
}
