package credentials

import (
	"fmt"
	"net/http"

	"aliyun_cas_exporter/internal/cas/rpc"
)

// Options say where credentials come from. Only the fields of the chosen source
// are read.
type Options struct {
	// Source is env, file, oidc, ecs_ram_role, uri or profile.
	Source string

	AccessKeyID, AccessKeySecret, SecurityToken             string // of env
	AccessKeyIDFile, AccessKeySecretFile, SecurityTokenFile string // of file; the last may be empty
	OIDCRoleARN, OIDCProviderARN, OIDCTokenFile             string // of oidc
	ECSRoleName                                             string // of ecs_ram_role; empty: the instance is asked
	URI                                                     string // of uri
	Profile, CLIConfigFile, CredentialsFile                 string // of profile; an empty profile is the current one

	// Role, if its ARN is not empty, is assumed with the credentials of the source.
	Role Role
	// SessionName names the sessions of roles.
	SessionName string

	// Transport sends; see rpc.NewTransport. Direct sends without a proxy.
	Transport, Direct http.RoundTripper
	// STSEndpoint and MetadataEndpoint are addresses: https://sts.aliyuncs.com and
	// http://100.100.100.200.
	STSEndpoint, MetadataEndpoint string
}

// Role is a RAM role to assume.
type Role struct{ ARN, ExternalID, SessionName string }

// New returns a Provider, or an error for an unknown source.
func New(o Options) (*Provider, error) {
	if o.STSEndpoint == "" {
		o.STSEndpoint = "https://sts.aliyuncs.com"
	}
	if o.MetadataEndpoint == "" {
		o.MetadataEndpoint = "http://100.100.100.200"
	}
	p := &Provider{base: o}
	switch o.Source {
	case "env":
		p.source = static{rpc.NewCredentials(o.AccessKeyID, o.AccessKeySecret, o.SecurityToken)}
	case "file":
		p.source, p.local = files{o.AccessKeyIDFile, o.AccessKeySecretFile, o.SecurityTokenFile}, true
	case "oidc":
		p.source = oidc{o.web(), o.STSEndpoint, o.OIDCRoleARN, o.OIDCProviderARN, o.OIDCTokenFile, o.SessionName}
	case "ecs_ram_role":
		p.source = metadata{o.direct(), o.MetadataEndpoint, o.ECSRoleName}
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
	return &Provider{base: p.base, source: assumed{p, p.base.Transport, p.base.STSEndpoint, role}}
}

// web returns a client that never follows redirects, which would carry tokens on.
func (o *Options) web() *http.Client { return client(o.Transport) }

// direct returns a client without a proxy: instance metadata is for this host.
func (o *Options) direct() *http.Client { return client(o.Direct) }

func client(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}
