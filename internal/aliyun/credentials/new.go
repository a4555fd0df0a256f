package credentials

import "fmt"

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
