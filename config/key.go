package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// way is a source of credentials: whether any of its variables is set, and the
// variables that it requires.
type way struct {
	source     string
	configured bool
	needs      []need
}

type need struct{ variable, value string }

// ways returns the sources in the order in which auto tries them. A source that is
// configured incompletely counts: it is a mistake to report, not to skip.
func (k *Key) ways() []way {
	return []way{
		{"env", k.AccessKeyID != "" || k.AccessKeySecret != "", []need{
			{"ALIBABA_CLOUD_ACCESS_KEY_ID", string(k.AccessKeyID)},
			{"ALIBABA_CLOUD_ACCESS_KEY_SECRET", string(k.AccessKeySecret)},
		}},
		{"file", k.AccessKeyIDFile != "" || k.AccessKeySecretFile != "", []need{
			{"CAS_ACCESS_KEY_ID_FILE", string(k.AccessKeyIDFile)},
			{"CAS_ACCESS_KEY_SECRET_FILE", string(k.AccessKeySecretFile)},
		}},
		{"oidc", k.OIDCProviderARN != "" || k.OIDCTokenFile != "", []need{
			{"ALIBABA_CLOUD_ROLE_ARN", k.OIDCRoleARN},
			{"ALIBABA_CLOUD_OIDC_PROVIDER_ARN", k.OIDCProviderARN},
			{"ALIBABA_CLOUD_OIDC_TOKEN_FILE", string(k.OIDCTokenFile)},
		}},
		{"ecs_ram_role", k.ECSRoleName != "", nil},
		{"uri", k.URI != "", []need{{"ALIBABA_CLOUD_CREDENTIALS_URI", string(k.URI)}}},
		{"profile", k.Profile != "" || k.configFile || exists(k.CLIConfigFile) || exists(k.CredentialsFile), nil},
	}
}

// key finds the source of credentials.
func (l *loader) key() Key {
	k := l.keys()
	ways := k.ways()
	chosen := slices.IndexFunc(ways, func(w way) bool {
		return w.source == l.Credentials || w.configured && l.Credentials == "auto"
	})
	switch {
	case chosen < 0 && l.Credentials == "auto" && l.failed("command line"):
		return k // the flag that is wrong may be one that needs no key
	case chosen < 0 && l.Credentials == "auto":
		l.fault("ALIBABA_CLOUD_ACCESS_KEY_ID", "is not set, and no other source of credentials is configured; --help lists them, --demo needs none")
		return k
	case chosen < 0:
		// The value could be a key that somebody put here.
		l.fault("CAS_CREDENTIALS", "is not one of auto, env, file, oidc, ecs_ram_role, uri, profile")
		return k
	}
	k.Source = ways[chosen].source
	for _, n := range ways[chosen].needs {
		switch {
		case n.value == "":
			l.fault(n.variable, "is not set; the source of the credentials (%s) requires it", k.Source)
		case strings.HasSuffix(n.variable, "_FILE") && !exists(n.value):
			l.warn("%s: the file cannot be read so far: %s", n.variable, problem(n.value))
		}
	}
	if k.Source == "env" && l.Credentials == "auto" && ways[1].configured {
		l.warn("the key files of CAS_ACCESS_KEY_ID_FILE and CAS_ACCESS_KEY_SECRET_FILE are not used: " +
			"ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET take precedence; see CAS_CREDENTIALS")
	}
	l.checkKey(&k)
	return k
}

// NamedFile is a file, with the variable that names it.
type NamedFile struct {
	Variable string
	Path     File
}

// Files returns the files that the source reads, but for a profile's.
func (k *Key) Files() []NamedFile {
	switch {
	case k.Source == "oidc":
		return []NamedFile{{"ALIBABA_CLOUD_OIDC_TOKEN_FILE", k.OIDCTokenFile}}
	case k.Source != "file":
		return nil
	}
	files := []NamedFile{{"CAS_ACCESS_KEY_ID_FILE", k.AccessKeyIDFile}, {"CAS_ACCESS_KEY_SECRET_FILE", k.AccessKeySecretFile}}
	if k.SecurityTokenFile != "" {
		files = append(files, NamedFile{"CAS_SECURITY_TOKEN_FILE", k.SecurityTokenFile})
	}
	return files
}

// keys reads what could configure a source.
func (l *loader) keys() Key {
	alibaba := l.env.alibaba
	k := Key{
		AccessKeyID: Secret(alibaba("ACCESS_KEY_ID")), AccessKeySecret: Secret(alibaba("ACCESS_KEY_SECRET")),
		SecurityToken:   Secret(alibaba("SECURITY_TOKEN")),
		AccessKeyIDFile: l.AccessKeyIdFile, AccessKeySecretFile: l.AccessKeySecretFile, SecurityTokenFile: l.SecurityTokenFile,
		OIDCRoleARN: alibaba("ROLE_ARN"), OIDCProviderARN: alibaba("OIDC_PROVIDER_ARN"), OIDCTokenFile: File(alibaba("OIDC_TOKEN_FILE")),
		ECSRoleName: alibaba("ECS_METADATA"), URI: Secret(alibaba("CREDENTIALS_URI")), Profile: alibaba("PROFILE"),
		CLIConfigFile: alibaba("CONFIG_FILE"), CredentialsFile: alibaba("CREDENTIALS_FILE"),
		STSRegion: alibaba("STS_REGION"), STSEndpoint: alibaba("STS_ENDPOINT"), STSVPC: l.env.vpc(),
	}
	k.configFile = k.CLIConfigFile != ""
	if home, err := os.UserHomeDir(); err == nil {
		if k.CLIConfigFile == "" && !strings.EqualFold(alibaba("CLI_PROFILE_DISABLED"), "true") {
			k.CLIConfigFile = filepath.Join(home, ".aliyun", "config.json")
		}
		if k.CredentialsFile == "" {
			k.CredentialsFile = filepath.Join(home, ".alibabacloud", "credentials")
		}
	}
	return k
}

// checkKey checks what the chosen source uses.
func (l *loader) checkKey(k *Key) {
	uri, isURL := parseAddress(string(k.URI))
	switch {
	case k.Source == "ecs_ram_role" && strings.EqualFold(l.env.alibaba("ECS_METADATA_DISABLED"), "true"):
		l.fault("CAS_CREDENTIALS", "the credentials come from ecs_ram_role, which ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids")
	case k.Source == "uri" && k.URI != "" && !isURL:
		l.fault("ALIBABA_CLOUD_CREDENTIALS_URI", "is not an http:// or https:// address")
	case k.Source == "profile" && k.configFile && !exists(k.CLIConfigFile):
		l.warn("ALIBABA_CLOUD_CONFIG_FILE: the file cannot be read so far: %s", problem(k.CLIConfigFile))
	case k.Source == "profile" && !exists(k.CLIConfigFile) && !exists(k.CredentialsFile):
		l.fault("CAS_CREDENTIALS", "the credentials come from profile, but neither ~/.aliyun/config.json nor a credentials file exists")
	}
	if !regexp.MustCompile(`^[a-z0-9-]*$`).MatchString(k.STSRegion) {
		l.fault("ALIBABA_CLOUD_STS_REGION", "is not a region such as cn-hangzhou")
	}
	if k.STSEndpoint != "" {
		address, problem := origin(k.STSEndpoint)
		if problem != "" {
			l.fault("ALIBABA_CLOUD_STS_ENDPOINT", "%s", problem)
		}
		k.STSEndpoint = address
	}
	sts := k.Source == "oidc" || k.Source == "profile" || l.RoleArn != "" || len(l.Accounts) > 0
	if k.STSVPC && sts && k.STSRegion == "" && k.STSEndpoint == "" {
		l.warn("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED has no effect on STS without ALIBABA_CLOUD_STS_REGION")
	}
	if k.Source == "uri" && isURL && uri.Scheme == "http" && !nearby(uri.Hostname()) {
		l.warn("ALIBABA_CLOUD_CREDENTIALS_URI is http:// and its host is neither loopback nor link-local: the keys travel in clear text")
	}
	for _, n := range k.ways()[0].needs {
		l.checkSecret(k.Source, n.variable, n.value)
	}
	l.checkSecret(k.Source, "ALIBABA_CLOUD_SECURITY_TOKEN", string(k.SecurityToken))
}

// checkSecret warns about quotes and invisible characters, which get into a key when
// it is copied.
func (l *loader) checkSecret(source, name, value string) {
	odd := func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || strings.ContainsRune("\"'`", r) }
	if source == "env" && strings.ContainsFunc(value, odd) {
		l.warn("%s contains quotes, white space or invisible characters; keys never do", name)
	}
}
