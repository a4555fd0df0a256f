package config

import (
	"os"
	"path/filepath"
	"strings"
)

// Key says where credentials come from, and carries what that source needs.
type Key struct {
	// Source is env, file, oidc, ecs_ram_role, uri or profile.
	Source string

	AccessKeyID, AccessKeySecret, SecurityToken             Secret // of env
	AccessKeyIDFile, AccessKeySecretFile, SecurityTokenFile string // of file
	OIDCRoleARN, OIDCProviderARN, OIDCTokenFile             string // of oidc
	ECSRoleName                                             string // of ecs_ram_role; empty: asked for
	URI                                                     Secret // of uri; it can hold a token
	Profile, CLIConfigFile, CredentialsFile                 string // of profile
}

// key finds the source of credentials.
func (l *loader) key(env func(string) string) Key {
	alibaba := func(name string) string { return strings.TrimSpace(env("ALIBABA_CLOUD_" + name)) }
	home, _ := os.UserHomeDir()
	k := Key{
		Source:      l.Credentials,
		AccessKeyID: Secret(alibaba("ACCESS_KEY_ID")), AccessKeySecret: Secret(alibaba("ACCESS_KEY_SECRET")),
		SecurityToken:   Secret(alibaba("SECURITY_TOKEN")),
		AccessKeyIDFile: l.AccessKeyIdFile, AccessKeySecretFile: l.AccessKeySecretFile, SecurityTokenFile: l.SecurityTokenFile,
		OIDCRoleARN: alibaba("ROLE_ARN"), OIDCProviderARN: alibaba("OIDC_PROVIDER_ARN"), OIDCTokenFile: alibaba("OIDC_TOKEN_FILE"),
		ECSRoleName: alibaba("ECS_METADATA"), URI: Secret(alibaba("CREDENTIALS_URI")), Profile: alibaba("PROFILE"),
		CLIConfigFile: filepath.Join(home, ".aliyun", "config.json"), CredentialsFile: alibaba("CREDENTIALS_FILE"),
	}
	if k.CredentialsFile == "" {
		k.CredentialsFile = filepath.Join(home, ".alibabacloud", "credentials")
	}
	if k.Source == "auto" {
		k.Source = k.first()
	}
	for _, missing := range k.missing() {
		l.fault(missing, "is empty, and CAS_CREDENTIALS takes the credentials from %s", k.Source)
	}
	switch k.Source {
	case "env", "file", "oidc", "uri", "profile":
	case "ecs_ram_role":
		if strings.EqualFold(alibaba("ECS_METADATA_DISABLED"), "true") {
			l.fault("CAS_CREDENTIALS", "is ecs_ram_role, but ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids it")
		}
	case "":
		l.fault("ALIBABA_CLOUD_ACCESS_KEY_ID", "is empty, and no other source of credentials is configured; see CAS_CREDENTIALS, or try --demo")
	default:
		l.fault("CAS_CREDENTIALS", "%s is not one of auto, env, file, oidc, ecs_ram_role, uri, profile", quote(k.Source))
	}
	return k
}

// first returns the first source of which anything is configured: one that is
// configured by half is a mistake to report, not a reason to take another.
func (k *Key) first() string {
	switch {
	case k.AccessKeyID != "" || k.AccessKeySecret != "":
		return "env"
	case k.AccessKeyIDFile != "" || k.AccessKeySecretFile != "":
		return "file"
	case k.OIDCProviderARN != "" || k.OIDCTokenFile != "":
		return "oidc"
	case k.URI != "":
		return "uri"
	case k.Profile != "" || exists(k.CLIConfigFile) || exists(k.CredentialsFile):
		return "profile"
	case k.ECSRoleName != "":
		return "ecs_ram_role"
	default:
		return ""
	}
}

// missing returns the variables that the source needs and that are empty.
func (k *Key) missing() []string {
	var needs map[string]bool
	switch k.Source {
	case "env":
		needs = map[string]bool{"ALIBABA_CLOUD_ACCESS_KEY_ID": k.AccessKeyID == "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": k.AccessKeySecret == ""}
	case "file":
		needs = map[string]bool{"CAS_ACCESS_KEY_ID_FILE": k.AccessKeyIDFile == "", "CAS_ACCESS_KEY_SECRET_FILE": k.AccessKeySecretFile == ""}
	case "oidc":
		needs = map[string]bool{
			"ALIBABA_CLOUD_ROLE_ARN":          k.OIDCRoleARN == "",
			"ALIBABA_CLOUD_OIDC_PROVIDER_ARN": k.OIDCProviderARN == "",
			"ALIBABA_CLOUD_OIDC_TOKEN_FILE":   k.OIDCTokenFile == "",
		}
	case "uri":
		needs = map[string]bool{"ALIBABA_CLOUD_CREDENTIALS_URI": k.URI == ""}
	}
	var missing []string
	for name, empty := range needs {
		if empty {
			missing = append(missing, name)
		}
	}
	return missing
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
