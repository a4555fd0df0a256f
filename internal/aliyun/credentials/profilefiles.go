package credentials

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gopkg.in/ini.v1"
)

var errNoProfile = errors.New("no such profile; its name is ALIBABA_CLOUD_PROFILE, else current in the command line's file, else default")

// cliProfile is a profile of ~/.aliyun/config.json.
type cliProfile struct {
	Name            text `json:"name"`
	Mode            text `json:"mode"`
	AccessKeyID     text `json:"access_key_id"`
	AccessKeySecret text `json:"access_key_secret"`
	SecurityToken   text `json:"sts_token"`
	RoleARN         text `json:"ram_role_arn"`
	SessionName     text `json:"ram_session_name"`
	ExternalID      text `json:"external_id"`
	STSRegion       text `json:"sts_region"`
	STSEndpoint     text `json:"sts_endpoint"`
	STSVPC          any  `json:"enable_vpc"`
	ECSRole         text `json:"ram_role_name"`
	SourceProfile   text `json:"source_profile"`
	OIDCProviderARN text `json:"oidc_provider_arn"`
	OIDCTokenFile   text `json:"oidc_token_file"`
	CredentialsURI  text `json:"credentials_uri"`
	KeyPair         text `json:"key_pair_name"`
	ProcessCommand  text `json:"process_command"`
	CloudSSO        text `json:"cloud_sso_sign_in_url"`
	OAuth           text `json:"oauth_site_type"`
	BearerToken     text `json:"bearer_token"`
}

func (c *cliProfile) entry() *entry {
	trim := func(t text) string { return strings.TrimSpace(string(t)) }
	return &entry{
		name: trim(c.Name), mode: trim(c.Mode), keyID: trim(c.AccessKeyID), keySecret: trim(c.AccessKeySecret), token: trim(c.SecurityToken),
		role: trim(c.RoleARN), session: trim(c.SessionName), external: trim(c.ExternalID), stsRegion: trim(c.STSRegion),
		stsEndpoint: trim(c.STSEndpoint), stsVPC: c.STSVPC == true, ecsRole: trim(c.ECSRole), source: trim(c.SourceProfile),
		uri: trim(c.CredentialsURI), oidcProvider: trim(c.OIDCProviderARN), oidcToken: trim(c.OIDCTokenFile),
		keyPair: trim(c.KeyPair), command: trim(c.ProcessCommand), cloudSSO: trim(c.CloudSSO), oauth: trim(c.OAuth), bearer: trim(c.BearerToken),
	}
}

func (p *profile) cli() (found, error) {
	text, err := readText(p.options.CLIConfigFile)
	if err != nil {
		return found{}, fmt.Errorf("the command line's configuration %w", err)
	}
	return p.parseCLI(text)
}

func (p *profile) parseCLI(text string) (found, error) {
	var file struct {
		Current  string       `json:"current"`
		Profiles []cliProfile `json:"profiles"`
	}
	if json.Unmarshal([]byte(text), &file) != nil {
		return found{}, errors.New("the command line's configuration is not valid JSON")
	}
	find := func(name string) *entry {
		for i := range file.Profiles {
			if e := file.Profiles[i].entry(); e.name == name {
				if e.uri == "" && p.options.URI != nil {
					e.uri = p.options.URI()
				}
				return e
			}
		}
		return nil
	}
	e := find(cmp.Or(p.options.Profile, strings.TrimSpace(file.Current), "default"))
	if e == nil {
		return found{}, errNoProfile
	}
	// A chain of profiles can be no longer than there are profiles.
	return p.resolve(e, find, len(file.Profiles))
}

// shared reads the INI file that the SDKs share.
func (p *profile) shared() (found, error) {
	text, err := readText(p.options.CredentialsFile)
	if err != nil {
		return found{}, fmt.Errorf("the credentials file %w", err)
	}
	return p.parseShared(text)
}

func (p *profile) parseShared(text string) (found, error) {
	file, err := ini.Load([]byte(text))
	if err != nil {
		return found{}, errors.New("the credentials file is not valid INI")
	}
	section, err := file.GetSection(cmp.Or(p.options.Profile, "default"))
	if err != nil {
		return found{}, errNoProfile
	}
	value := func(key string) string { return strings.TrimSpace(section.Key(key).String()) }
	kind := strings.ToLower(value("type"))
	mode, known := map[string]string{
		"": "", "access_key": "AK", "sts": "StsToken", "ram_role_arn": "RamRoleArn", "ecs_ram_role": "EcsRamRole", "oidc_role_arn": "OIDC",
		"rsa_key_pair": "RsaKeyPair", "bearer": "BearerToken", "credentials_uri": "CredentialsURI",
	}[kind]
	switch {
	case strings.EqualFold(value("enable"), "false"):
		return found{}, errors.New("it is not enabled")
	case !known:
		return found{}, errors.New("its type is not one of access_key, sts, ram_role_arn, ecs_ram_role, oidc_role_arn, credentials_uri")
	}
	return p.resolve(&entry{
		mode: mode, keyID: value("access_key_id"), keySecret: value("access_key_secret"), token: value("security_token"),
		role: value("role_arn"), session: value("role_session_name"), external: value("external_id"), ecsRole: value("role_name"),
		oidcProvider: value("oidc_provider_arn"), oidcToken: value("oidc_token_file_path"), uri: value("credentials_uri"),
		keyPair: value("public_key_id"), bearer: value("bearer_token"), stsEndpoint: value("sts_endpoint"), stsRegion: value("sts_region"),
		fieldNames: map[string]string{"sts_token": "security_token", "ram_role_arn": "role_arn", "oidc_token_file": "oidc_token_file_path"}, //nolint:gosec // names of fields
	}, nil, 0)
}

func (p *profile) fetch(ctx context.Context, refused bool) (lease, error) {
	from, err := p.read()
	if err != nil {
		return lease{}, err
	}
	return from.fetch(ctx, refused)
}

func (p *profile) read() (found, error) {
	f, err := p.cli()
	if errors.Is(err, errNotExist) || errors.Is(err, errNoProfile) {
		// The command line's configuration is the usual one, so its error stays.
		if shared, sharedErr := p.shared(); !errors.Is(sharedErr, errNotExist) {
			f, err = shared, sharedErr
		}
	}
	if err != nil {
		return found{}, fmt.Errorf("profile: %w", err)
	}
	return f, nil
}

// Check reads what a source needs and asks nobody. It returns what the source is, in
// words, empty if there is nothing to say beyond its name.
func (o Options) Check() (string, error) {
	if o.Source != "profile" {
		return "", nil
	}
	f, err := (&profile{options: o}).read()
	if err != nil || f.sts == "" {
		return "mode " + f.mode, err
	}
	return "mode " + f.mode + ", by STS at " + strings.TrimPrefix(f.sts, "https://"), nil
}
