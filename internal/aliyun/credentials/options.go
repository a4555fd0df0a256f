package credentials

import (
	"fmt"
	"net/http"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// Options say where credentials come from. Only the fields of the chosen source
// are read.
type Options struct {
	// Source is env, file, oidc, ecs_ram_role, uri or profile.
	Source string

	Key                                                     rpc.Credentials // of env
	AccessKeyIDFile, AccessKeySecretFile, SecurityTokenFile string          // of file; the last may be empty
	OIDCRoleARN, OIDCProviderARN, OIDCTokenFile             string          // of oidc
	ECSRoleName                                             string          // of ecs_ram_role; empty: the instance is asked
	URI                                                     func() string   // of uri; it can hold a token, and nothing prints a function
	Profile, CLIConfigFile, CredentialsFile                 string          // of profile; an empty profile is the current one

	// Role, if its ARN is not empty, is assumed with the credentials of the source.
	Role Role
	// SessionName names the sessions of roles, unless a profile does.
	SessionName string

	// STSRegion and STSVPC choose the address of STS as Alibaba's SDKs do; without
	// a region it is the public one for all.
	STSRegion string
	STSVPC    bool

	// Transport sends; see rpc.NewTransport.
	Transport http.RoundTripper
	// UserAgent names the program in requests.
	UserAgent string
	// STSEndpoint, if it is not empty, is the address of STS instead: https://host.
	STSEndpoint string
	// MetadataEndpoint replaces the address of the instance metadata, for tests.
	MetadataEndpoint string
}

// Role is a RAM role to assume; an empty external id is not sent.
type Role struct{ ARN, ExternalID string }

// New returns a Provider, or an error for an unknown source.
func New(o Options) (*Provider, error) {
	p := &Provider{base: o}
	switch o.Source {
	case "env":
		p.source = static{o.Key}
	case "file":
		p.source, p.local = &files{paths: [...]string{o.AccessKeyIDFile, o.AccessKeySecretFile, o.SecurityTokenFile}}, true
	case "oidc":
		p.source = oidc{o.web(), o.sts(o.STSRegion, o.STSVPC), o.OIDCRoleARN, o.OIDCProviderARN, o.OIDCTokenFile, o.SessionName}
	case "ecs_ram_role":
		p.source = o.metadata(o.ECSRoleName)
	case "uri":
		p.source = uri{o.web(), o.URI}
	case "profile":
		p.source = &profile{options: o}
	default:
		return nil, fmt.Errorf("no source of credentials is called %q", o.Source)
	}
	if o.Role.ARN != "" {
		return p.Assume(o.Role), nil
	}
	return p, nil
}

// Assume returns a Provider that assumes a role with the credentials of this one.
func (p *Provider) Assume(role Role) *Provider {
	o := p.base
	return &Provider{base: o, source: o.assume(p, role, o.sts(o.STSRegion, o.STSVPC), o.SessionName)}
}

func (o *Options) assume(from *Provider, role Role, endpoint, session string) source {
	return assumed{from: from, role: role, sts: rpc.Options{
		Endpoint: endpoint, Version: stsVersion, RegionID: "cn-hangzhou", Transport: o.Transport,
		Timeout: fetchTimeout, UserAgent: o.UserAgent,
	}, session: session}
}

// sts returns the address of STS. Inside a VPC without a way out only the one of
// its region, by its VPC name, is reachable.
func (o *Options) sts(region string, vpc bool) string {
	switch {
	case o.STSEndpoint != "":
		return o.STSEndpoint
	case region == "":
		return "https://sts.aliyuncs.com"
	case vpc:
		return "https://sts-vpc." + region + ".aliyuncs.com"
	default:
		return "https://sts." + region + ".aliyuncs.com"
	}
}

// metadata asks the instance itself: never by a proxy, which would answer for its
// own host.
func (o *Options) metadata(role string) source {
	endpoint := o.MetadataEndpoint
	if endpoint == "" {
		endpoint = "http://100.100.100.200"
	}
	direct := o.Transport
	if t, ok := direct.(*http.Transport); ok {
		t = t.Clone()
		t.Proxy = nil
		direct = t
	}
	return metadata{caller{o.UserAgent, client(direct)}, endpoint, role}
}

func (o *Options) web() caller { return caller{o.UserAgent, client(o.Transport)} }

// client never follows redirects, which would carry tokens on.
func client(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}
