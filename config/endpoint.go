package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// regions checks the API's addresses. Without CAS_ENDPOINT it finds them by region.
func (l *loader) regions() {
	n := len(l.Endpoint)
	switch {
	case l.failed("CAS_REGION_ID"):
		return
	case len(l.RegionId) == 0: // commas alone
		l.fault("CAS_REGION_ID", "names no region")
		return
	case n > 0 && n != len(l.RegionId):
		l.fault("CAS_ENDPOINT", "has %d different addresses for %d regions of CAS_REGION_ID; give one for each region, in the same order", n, len(l.RegionId))
		return
	}
	vpc := l.env.vpc()
	var endpoints List
	for i, id := range l.RegionId {
		endpoint, problem := documented(id, vpc), ""
		switch {
		case !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(id):
			l.fault("CAS_REGION_ID", "%s is not a region such as cn-hangzhou", quote(id))
			continue
		case len(l.Endpoint) > 0:
			endpoint, problem = origin(l.Endpoint[i])
		case endpoint == "" && vpc:
			problem = "is empty, and region " + quote(id) + " of CAS_REGION_ID has no documented endpoint inside a VPC; " + usual
		case endpoint == "":
			problem = "is empty, and region " + quote(id) + " of CAS_REGION_ID has no documented endpoint; " + usual
		}
		if problem != "" {
			l.fault("CAS_ENDPOINT", "%s", problem)
			continue
		}
		if id != "cn-hangzhou" && id != "ap-southeast-1" {
			l.warn("CAS_REGION_ID: region %s probably has no deployment jobs: certificates are documented for cn-hangzhou and ap-southeast-1 only, other regions for private CA", id)
		}
		endpoints = append(endpoints, endpoint)
		l.Regions = append(l.Regions, Region{id, endpoint})
	}
	l.Endpoint = endpoints
}

// usual helps people who set the region of their resources.
const usual = "CAS_REGION_ID is the region of the API, for most accounts cn-hangzhou"

// documented returns the documented endpoint of a region, empty for none.
func documented(region string, vpc bool) string {
	switch {
	case vpc && slices.Contains([]string{"cn-hangzhou", "ap-southeast-1", "ap-southeast-3", "cn-hongkong"}, region):
		return "https://cas-vpc." + region + ".aliyuncs.com"
	case vpc:
		return ""
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

// nearby reports whether what is sent to a host in clear text stays on this machine or
// its link.
func nearby(host string) bool {
	ip, err := netip.ParseAddr(host) // with a zone, as link-local addresses have one
	return loopback(strings.ToLower(host)) || err == nil && ip.IsLinkLocalUnicast()
}
