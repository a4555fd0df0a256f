package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gopkg.in/ini.v1"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// profile reads a profile of Alibaba's command line or, if it has none of that
// name, of the credentials file that its SDKs share, and asks the source that it
// names. It is read at every fetch, so that a changed profile is used once the old
// one's lease ends or is refused. Errors repeat nothing of the files.
type profile struct{ options Options }

func (p *profile) fetch(ctx context.Context, refused bool) (lease, error) {
	from, err := p.read()
	if err != nil {
		return lease{}, fmt.Errorf("profile: %w", err)
	}
	return from.fetch(ctx, refused)
}

var errNoProfile = errors.New("there is none of this name")

func (p *profile) read() (source, error) {
	from, err := p.cli()
	if !errors.Is(err, errNotExist) && !errors.Is(err, errNoProfile) {
		return from, err
	}
	from, sharedErr := p.shared()
	if errors.Is(sharedErr, errNotExist) {
		return nil, err // the command line's configuration is the usual one
	}
	return from, sharedErr
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
	STSRegion       string `json:"sts_region"`
	STSVPC          bool   `json:"enable_vpc"`
	ECSRole         string `json:"ram_role_name"`
	SourceProfile   string `json:"source_profile"`
	OIDCProviderARN string `json:"oidc_provider_arn"`
	OIDCTokenFile   string `json:"oidc_token_file"`
	CredentialsURI  string `json:"credentials_uri"`
}

func (p *profile) cli() (source, error) {
	text, err := readText(p.options.CLIConfigFile)
	if err != nil {
		return nil, fmt.Errorf("the command line's configuration %w", err)
	}
	return p.parseCLI(text)
}

func (p *profile) parseCLI(text string) (source, error) {
	var file struct {
		Current  string       `json:"current"`
		Profiles []cliProfile `json:"profiles"`
	}
	if json.Unmarshal([]byte(text), &file) != nil {
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
		if c.Name != name {
			continue
		}
		if c.Mode != "ChainableRamRoleArn" {
			return p.direct(c)
		}
		if depth == 0 {
			return nil, errors.New("its chain of source profiles has no end")
		}
		from, err := p.resolve(profiles, c.SourceProfile, depth-1)
		switch {
		case errors.Is(err, errNoProfile):
			return nil, errors.New("its source profile does not exist")
		case err != nil:
			return nil, err
		}
		return p.assume(from, c), nil
	}
	return nil, errNoProfile
}

func (p *profile) direct(c cliProfile) (source, error) {
	o := &p.options
	switch c.Mode {
	case "AK":
		return static{rpc.NewCredentials(c.AccessKeyID, c.AccessKeySecret, "")}, nil
	case "StsToken":
		return static{rpc.NewCredentials(c.AccessKeyID, c.AccessKeySecret, c.SecurityToken)}, nil
	case "RamRoleArn":
		return p.assume(static{rpc.NewCredentials(c.AccessKeyID, c.AccessKeySecret, c.SecurityToken)}, c), nil
	case "EcsRamRole":
		return o.metadata(c.ECSRole), nil
	case "OIDC":
		return oidc{o.web(), p.sts(c), c.RoleARN, c.OIDCProviderARN, c.OIDCTokenFile, p.session(c)}, nil
	case "CredentialsURI":
		return uri{o.web(), func() string { return c.CredentialsURI }}, nil
	default:
		return nil, errors.New("its mode is none of AK, StsToken, RamRoleArn, ChainableRamRoleArn, EcsRamRole, OIDC, CredentialsURI")
	}
}

func (p *profile) assume(from source, c cliProfile) source {
	base := &Provider{base: p.options, source: from}
	return p.options.assume(base, Role{c.RoleARN, c.ExternalID}, p.sts(c), p.session(c))
}

func (p *profile) sts(c cliProfile) string {
	if c.STSRegion == "" {
		return p.options.sts(p.options.STSRegion, p.options.STSVPC || c.STSVPC)
	}
	return p.options.sts(c.STSRegion, p.options.STSVPC || c.STSVPC)
}

func (p *profile) session(c cliProfile) string {
	if c.SessionName == "" {
		return p.options.SessionName
	}
	return c.SessionName
}

// shared reads the INI file that the SDKs share.
func (p *profile) shared() (source, error) {
	text, err := readText(p.options.CredentialsFile)
	if err != nil {
		return nil, fmt.Errorf("the credentials file %w", err)
	}
	return p.parseShared(text)
}

func (p *profile) parseShared(text string) (source, error) {
	file, err := ini.Load([]byte(text))
	if err != nil {
		return nil, errors.New("the credentials file is not valid INI")
	}
	name := p.options.Profile
	if name == "" {
		name = "default"
	}
	section, err := file.GetSection(name)
	if err != nil {
		return nil, errNoProfile
	}
	value := func(key string) string { return section.Key(key).String() }
	mode, ok := map[string]string{
		"access_key": "AK", "sts": "StsToken", "ram_role_arn": "RamRoleArn", "ecs_ram_role": "EcsRamRole", "oidc_role_arn": "OIDC",
	}[value("type")]
	if !ok {
		return nil, errors.New("its type is none of access_key, sts, ram_role_arn, ecs_ram_role, oidc_role_arn")
	}
	return p.direct(cliProfile{
		Mode: mode, AccessKeyID: value("access_key_id"), AccessKeySecret: value("access_key_secret"),
		SecurityToken: value("security_token"), RoleARN: value("role_arn"), SessionName: value("role_session_name"),
		ECSRole: value("role_name"), OIDCProviderARN: value("oidc_provider_arn"), OIDCTokenFile: value("oidc_token_file_path"),
	})
}
