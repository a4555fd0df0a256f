package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"gopkg.in/ini.v1"

	"aliyun_cas_exporter/internal/cas/rpc"
)

// profile reads a profile of Alibaba's command line, or else of the credentials
// file that its SDKs share, and asks the source that it names. It is read at
// every fetch, so that a changed profile is used once the old one's lease ends or
// is refused.
type profile struct{ options Options }

func (p *profile) fetch(ctx context.Context) (lease, error) {
	from, err := p.read()
	if err != nil {
		return lease{}, fmt.Errorf("profile: %w", err)
	}
	return from.fetch(ctx)
}

func (p *profile) read() (source, error) {
	if text, err := readText(p.options.CLIConfigFile); err == nil {
		return p.cli([]byte(text))
	}
	if _, err := os.Stat(p.options.CredentialsFile); err != nil {
		return nil, errors.New("neither the command line's configuration nor a credentials file can be read")
	}
	return p.shared()
}

// cliProfile is a profile of ~/.aliyun/config.json.
type cliProfile struct {
	Name            string `json:"name"`
	Mode            string `json:"mode"`
	AccessKeyID     string `json:"access_key_id"`
	AccessKeySecret string `json:"access_key_secret"`
	SecurityToken   string `json:"sts_token"`
	RoleARN         string `json:"ram_role_arn"`
	SessionName     string `json:"ram_session_name"`
	ExternalID      string `json:"external_id"`
	ECSRole         string `json:"ram_role_name"`
	SourceProfile   string `json:"source_profile"`
	OIDCProviderARN string `json:"oidc_provider_arn"`
	OIDCTokenFile   string `json:"oidc_token_file"`
	CredentialsURI  string `json:"credentials_uri"`
}

func (p *profile) cli(text []byte) (source, error) {
	var file struct {
		Current  string       `json:"current"`
		Profiles []cliProfile `json:"profiles"`
	}
	if json.Unmarshal(text, &file) != nil {
		return nil, errors.New("the command line's configuration is not valid JSON")
	}
	name := p.options.Profile
	if name == "" {
		name = file.Current
	}
	// A chain of profiles can be no longer than there are profiles.
	return p.resolve(file.Profiles, name, len(file.Profiles))
}

func (p *profile) resolve(profiles []cliProfile, name string, depth int) (source, error) {
	for _, c := range profiles {
		if c.Name == name && depth > 0 {
			if c.Mode == "ChainableRamRoleArn" {
				from, err := p.resolve(profiles, c.SourceProfile, depth-1)
				if err != nil {
					return nil, err
				}
				return p.assume(from, c), nil
			}
			return p.direct(c)
		}
	}
	return nil, fmt.Errorf("no profile is called %q", name)
}

func (p *profile) direct(c cliProfile) (source, error) {
	key := static{rpc.NewCredentials(c.AccessKeyID, c.AccessKeySecret, c.SecurityToken)}
	o := p.options
	switch c.Mode {
	case "AK", "StsToken", "":
		return key, nil
	case "RamRoleArn":
		return p.assume(key, c), nil
	case "EcsRamRole":
		return metadata{o.direct(), o.MetadataEndpoint, c.ECSRole}, nil
	case "OIDC":
		return oidc{o.web(), o.STSEndpoint, c.RoleARN, c.OIDCProviderARN, c.OIDCTokenFile, p.session(c.SessionName)}, nil
	case "CredentialsURI":
		return uri{o.web(), c.CredentialsURI}, nil
	default:
		return nil, fmt.Errorf("mode %q of the profile is not supported", c.Mode)
	}
}

func (p *profile) assume(from source, c cliProfile) source {
	base := &Provider{base: p.options, source: from}
	return assumed{base, p.options.Transport, p.options.STSEndpoint, Role{c.RoleARN, c.ExternalID, p.session(c.SessionName)}}
}

func (p *profile) session(name string) string {
	if name == "" {
		return p.options.SessionName
	}
	return name
}

// shared reads the INI file that the SDKs share.
func (p *profile) shared() (source, error) {
	file, err := ini.Load(p.options.CredentialsFile)
	if err != nil {
		return nil, errors.New("the credentials file is not valid INI")
	}
	name := p.options.Profile
	if name == "" {
		name = "default"
	}
	section, err := file.GetSection(name)
	if err != nil {
		return nil, fmt.Errorf("no profile is called %q", name)
	}
	modes := map[string]string{
		"access_key": "AK", "": "AK", "sts": "StsToken", "ram_role_arn": "RamRoleArn", "ecs_ram_role": "EcsRamRole", "oidc_role_arn": "OIDC",
	}
	mode, ok := modes[section.Key("type").String()]
	if !ok {
		return nil, fmt.Errorf("type %q of the profile is not supported", section.Key("type").String())
	}
	value := func(key string) string { return section.Key(key).String() }
	return p.direct(cliProfile{
		Mode: mode, AccessKeyID: value("access_key_id"), AccessKeySecret: value("access_key_secret"),
		SecurityToken: value("security_token"), RoleARN: value("role_arn"), SessionName: value("role_session_name"),
		ECSRole: value("role_name"), OIDCProviderARN: value("oidc_provider_arn"), OIDCTokenFile: value("oidc_token_file_path"),
	})
}
