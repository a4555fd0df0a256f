package config

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// endpoint checks the API's address, or finds it by the region.
func (l *loader) endpoint() {
	if l.Endpoint == "" {
		l.Endpoint = endpointOf(l.RegionId)
		if l.Endpoint == "" {
			l.fault("CAS_ENDPOINT", "is empty, and region %s of CAS_REGION_ID has no documented endpoint", quote(l.RegionId))
		}
		return
	}
	address, problem := origin(l.Endpoint)
	if problem != "" {
		l.fault("CAS_ENDPOINT", "%s", problem)
		return
	}
	l.Endpoint = address
}

// origin returns an address of a service as a scheme and a host, or what is wrong
// with it.
func origin(text string) (address, problem string) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, ok := parseAddress(text)
	switch {
	case !ok:
		return "", "is not a URL or a host such as https://cas.aliyuncs.com"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return "", "must be a scheme and a host only"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "", "must be https:// unless the host is a loopback address: the key would travel in clear text"
	}
	return u.Scheme + "://" + u.Host, ""
}

// parseAddress parses what must be a URL with a host.
func parseAddress(text string) (u *url.URL, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, false
	}
	_, err = strconv.ParseUint(u.Port(), 10, 16)
	return u, err == nil || !strings.Contains(u.Host[strings.LastIndex(u.Host, "]")+1:], ":")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// endpointOf returns the documented endpoint of a region, empty for none.
func endpointOf(region string) string {
	switch {
	case region == "cn-hangzhou":
		return "https://cas.aliyuncs.com"
	case slices.Contains([]string{
		"ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-5", "ap-northeast-1",
		"ap-south-1", "cn-hongkong", "eu-central-1", "me-east-1",
	}, region):
		return "https://cas." + region + ".aliyuncs.com"
	default:
		return ""
	}
}
