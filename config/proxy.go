package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// proxy reads the proxies. Go silently ignores a proxy that it cannot parse, and then
// signed calls go out directly. It cuts an address at a stray # or /, and then they go
// to another host. Both are errors here.
func (l *loader) proxy() {
	for _, p := range []struct {
		names   [2]string
		address *Secret
	}{
		{[2]string{"HTTPS_PROXY", "https_proxy"}, &l.Proxy.HTTPS},
		{[2]string{"HTTP_PROXY", "http_proxy"}, &l.Proxy.HTTP},
	} {
		name := p.names[0]
		if l.env[name] == "" {
			name = p.names[1]
		}
		if l.env[name] == "" {
			continue
		}
		address, problem := proxyAddress(l.env[name])
		if problem != "" {
			l.fault(name, "%s", problem)
			continue
		}
		*p.address = Secret(address)
		l.Proxy.from = append(l.Proxy.from, name)
	}
	l.Proxy.NoProxy = cmp.Or(l.env["NO_PROXY"], l.env["no_proxy"])
	if slices.ContainsFunc(strings.Split(l.Proxy.NoProxy, ","), func(host string) bool { return strings.ContainsAny(strings.TrimSpace(host), "; \t\n") }) {
		l.warn("NO_PROXY: hosts must be separated by commas")
	}
	if l.Proxy.HTTPS != "" {
		return
	}
	if cmp.Or(l.env["ALL_PROXY"], l.env["all_proxy"]) != "" {
		l.warn("ALL_PROXY is not used; set HTTPS_PROXY")
	}
	if l.Proxy.HTTP != "" {
		l.warn("HTTP_PROXY is not used for the API, which is at https://; set HTTPS_PROXY")
	}
}

// proxyAddress returns a proxy's address with its scheme, or what is wrong with it,
// without repeating any of it.
func proxyAddress(text string) (address, problem string) {
	if !strings.Contains(text, "://") {
		text = "http://" + text // as Go and curl read it
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || !isHost(u.Hostname()):
		return "", "is not the address of a proxy such as http://proxy.example.com:3128; " +
			"in a user name or password write # as %23, / as %2F, a space as %20 and % as %25"
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" && u.Scheme != "socks5h":
		return "", "must begin with http://, https://, socks5:// or socks5h://"
	case strings.Trim(u.Path, "/") != "" || strings.ContainsAny(text, "?#"):
		return "", "must end after the port; in a user name or password write # as %23, / as %2F and ? as %3F"
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if after := u.Host[strings.LastIndex(u.Host, "]")+1:]; strings.Contains(after, ":") && (err != nil || port == 0) {
		return "", "has a port that is not between 1 and 65535"
	}
	u.Path = ""
	return u.String(), ""
}

// isHost reports whether a text is an IP address, or looks like a host's name.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return regexp.MustCompile(`^[\pL\pN]([\pL\pN._-]*[\pL\pN])?\.?$`).MatchString(host)
}
