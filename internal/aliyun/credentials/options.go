package credentials

import (
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

// sts returns the address of STS. Inside a VPC without internet access only the one of
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

func (o *Options) web() caller { return caller{o.UserAgent, client(o.Transport)} }

// client never follows redirects, which would carry tokens on.
func client(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}
