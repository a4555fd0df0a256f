package credentials_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/aliyun/credentials"
)

// cliProfiles is a ~/.aliyun/config.json with a profile of each mode.
const cliProfiles = `{"current": "key", "meta_path": "", "profiles": [
	{"name": "key", "mode": "AK", "access_key_id": "LTAIbase", "access_key_secret": "base+secret/", "sts_token": "left over from another mode", "expired_seconds": 900},
	{"name": "sts", "mode": "StsToken", "access_key_id": "STS.cli", "access_key_secret": "s", "sts_token": "t"},
	{"name": "role", "mode": "RamRoleArn", "access_key_id": "LTAIbase", "access_key_secret": "base+secret/",
		"ram_role_arn": "acs:ram::1:role/x", "ram_session_name": "cli", "external_id": "e"},
	{"name": "chain", "mode": "ChainableRamRoleArn", "source_profile": "role", "ram_role_arn": "acs:ram::1:role/y"},
	{"name": "ecs", "mode": "EcsRamRole", "ram_role_name": "r"},
	{"name": "oidc", "mode": "OIDC", "ram_role_arn": "acs:ram::1:role/z", "oidc_provider_arn": "p", "oidc_token_file": "TOKEN"},
	{"name": "uri", "mode": "CredentialsURI", "credentials_uri": "URI"},
	{"name": "circle", "mode": "ChainableRamRoleArn", "source_profile": "round", "ram_role_arn": "x"},
	{"name": "round", "mode": "ChainableRamRoleArn", "source_profile": "circle", "ram_role_arn": "x"},
	{"name": "orphan", "mode": "ChainableRamRoleArn", "source_profile": "CANARY", "ram_role_arn": "x"},
	{"name": "plain", "access_key_id": " LTAIbase\n", "access_key_secret": "\tbase+secret/ "},
	{"name": "plain sts", "mode": "", "access_key_id": "STS.cli", "access_key_secret": "s", "sts_token": " t "},
	{"name": "plain role", "access_key_id": "LTAIbase", "access_key_secret": "base+secret/", "ram_role_arn": "acs:ram::1:role/x"},
	{"name": "plain ecs", "ram_role_name": "r"},
	{"name": "plain chain", "source_profile": "plain", "ram_role_arn": "acs:ram::1:role/y"},
	{"name": "small", "mode": "ak", "access_key_id": "LTAIbase", "access_key_secret": "base+secret/", "expired_seconds": "many", "region_id": 5},
	{"name": "ecs role", "mode": "RamRoleArnWithRoleName", "ram_role_name": "r", "ram_role_arn": "acs:ram::1:role/x"},
	{"name": "region", "mode": "OIDC", "ram_role_arn": "r", "oidc_provider_arn": "p", "oidc_token_file": "TOKEN", "sts_region": "CANARY.example/"},
	{"name": "endpoint", "mode": "OIDC", "ram_role_arn": "r", "oidc_provider_arn": "p", "oidc_token_file": "TOKEN", "sts_endpoint": "evil@CANARY.example/x"},
	{"name": "words", "mode": "AK", "access_key_id": "CANARY", "access_key_secret": "CANARY CANARY"},
	{"name": "zero width", "mode": "AK", "access_key_id": "CANARY\u200b", "access_key_secret": "CANARY"},
	{"name": "half", "access_key_id": "CANARY"},
	{"name": "no token", "mode": "StsToken", "access_key_id": "CANARY", "access_key_secret": "CANARY"},
	{"name": "sso", "mode": "CANARY"}
]}`

// sharedProfiles is a ~/.alibabacloud/credentials.
const sharedProfiles = `# shared
[default]
type = access_key
access_key_id = LTAIbase
access_key_secret = base+secret/

[shared]
enable = true
type = ram_role_arn
access_key_id = LTAIbase
access_key_secret = base+secret/
role_arn = acs:ram::1:role/ini
role_session_name = ini

[instance]
type = ecs_ram_role
role_name = i

[federated]
type = oidc_role_arn
role_arn = acs:ram::1:role/o
oidc_provider_arn = p
oidc_token_file_path = TOKEN

[odd]
type = CANARY

[off]
enable = false
type = access_key
access_key_id = CANARY
access_key_secret = CANARY

[bare]
access_key_id = " LTAIbase "
access_key_secret = base+secret/

[pair]
type = rsa_key_pair
public_key_id = CANARY
private_key_file = CANARY

[half role]
type = ram_role_arn
access_key_id = CANARY
access_key_secret = CANARY
`

func TestProfile(t *testing.T) {
	token := write(t, filepath.Join(t.TempDir(), "token"), "jwt")
	for _, test := range []struct {
		name, profile, cli, shared string
		want                       string // who calls, or the error
		calls                      []string
	}{
		{"the current one", "", cliProfiles, sharedProfiles, "LTAIbase", nil},
		{"a key", "key", cliProfiles, "", "LTAIbase", nil},
		{"a temporary key", "sts", cliProfiles, "", "STS.cli", nil},
		{"a role", "role", cliProfiles, "", "STS.1", []string{`AssumeRole acs:ram::1:role/x as cli by LTAIbase, external id "e", for 3600 s`}},
		{"a role by a role", "chain", cliProfiles, "", "STS.2", []string{
			`AssumeRole acs:ram::1:role/x as cli by LTAIbase, external id "e", for 3600 s`,
			`AssumeRole acs:ram::1:role/y as session by STS.1, external id "", for 3600 s`,
		}},
		{"an instance", "ecs", cliProfiles, "", "STS.1", []string{"PUT /latest/api/token", "GET /latest/meta-data/ram/security-credentials/r"}},
		{"OIDC", "oidc", cliProfiles, "", "STS.1", []string{"AssumeRoleWithOIDC acs:ram::1:role/z as session by jwt of p, for 3600 s"}},
		{"a URI", "uri", cliProfiles, "", "STS.1", []string{"GET /credentials"}},
		{"the shared file alone", "", "", sharedProfiles, "LTAIbase", nil},
		{"a name of the shared file only", "shared", cliProfiles, sharedProfiles, "STS.1", []string{
			`AssumeRole acs:ram::1:role/ini as ini by LTAIbase, external id "", for 3600 s`,
		}},
		{"a shared instance", "instance", "", sharedProfiles, "STS.1", []string{"PUT /latest/api/token", "GET /latest/meta-data/ram/security-credentials/i"}},
		{"shared OIDC", "federated", "", sharedProfiles, "STS.1", []string{"AssumeRoleWithOIDC acs:ram::1:role/o as session by jwt of p, for 3600 s"}},
		{"no file", "", "", "", "profile: the command line's configuration does not exist", nil},
		{"an unknown name", "none", cliProfiles, "", "profile: no such profile; its name is ALIBABA_CLOUD_PROFILE, else current in the command line's file, else default", nil},
		{"an unknown name in both", "none", cliProfiles, sharedProfiles, "profile: no such profile; its name is ALIBABA_CLOUD_PROFILE, else current in the command line's file, else default", nil},
		{
			"a mode of others", "sso", cliProfiles, sharedProfiles,
			"profile: its mode is not one of AK, StsToken, RamRoleArn, ChainableRamRoleArn, EcsRamRole, RamRoleArnWithRoleName, OIDC, CredentialsURI", nil,
		},
		{"a type of others", "odd", "", sharedProfiles, "profile: its type is not one of access_key, sts, ram_role_arn, ecs_ram_role, oidc_role_arn, credentials_uri", nil},
		{"a key without a mode", "plain", cliProfiles, "", "LTAIbase", nil},
		{"a temporary key without a mode", "plain sts", cliProfiles, "", "STS.cli", nil},
		{"a role without a mode", "plain role", cliProfiles, "", "STS.1", []string{`AssumeRole acs:ram::1:role/x as session by LTAIbase, external id "", for 3600 s`}},
		{"an instance without a mode", "plain ecs", cliProfiles, "", "STS.1", []string{"PUT /latest/api/token", "GET /latest/meta-data/ram/security-credentials/r"}},
		{"a chain without a mode", "plain chain", cliProfiles, "", "STS.1", []string{`AssumeRole acs:ram::1:role/y as session by LTAIbase, external id "", for 3600 s`}},
		{"a mode in small, odd types", "small", cliProfiles, "", "LTAIbase", nil},
		{"a role by an instance", "ecs role", cliProfiles, "", "STS.2", []string{
			"PUT /latest/api/token", "GET /latest/meta-data/ram/security-credentials/r", `AssumeRole acs:ram::1:role/x as session by STS.1, external id "", for 3600 s`,
		}},
		{"a byte order mark", "plain", "\ufeff" + cliProfiles, "", "LTAIbase", nil},
		{"a byte order mark, shared", "", "", "\ufeff" + sharedProfiles, "LTAIbase", nil},
		{"UTF-16", "plain", "\xff\xfe{\x00", sharedProfiles, "profile: the command line's configuration is not UTF-8: it has a byte order mark of UTF-16", nil},
		{"no current one", "", strings.Replace(strings.Replace(cliProfiles, `"key"`, `""`, 1), `"name": "key"`, `"name": "default"`, 1), "", "LTAIbase", nil},
		{"a region that is another host", "region", cliProfiles, "", "profile: its sts_region is not a region such as cn-hangzhou", nil},
		{"an endpoint that is none", "endpoint", cliProfiles, "", "profile: its sts_endpoint is not a host such as sts.cn-hangzhou.aliyuncs.com", nil},
		{"two words", "words", cliProfiles, "", "profile: its access_key_secret holds white space or invisible characters", nil},
		{"a zero-width space", "zero width", cliProfiles, "", "profile: its access_key_id holds white space or invisible characters", nil},
		{"half a key", "half", cliProfiles, "", "profile: it has no mode, and its fields do not show one", nil},
		{"no token", "no token", cliProfiles, "", "profile: its sts_token is empty", nil},
		{"shared, without a type", "bare", "", sharedProfiles, "LTAIbase", nil},
		{"shared, not enabled", "off", "", sharedProfiles, "profile: it is not enabled", nil},
		{"shared key pair", "pair", "", sharedProfiles, "profile: its mode RsaKeyPair is not supported: Alibaba Cloud has deprecated it", nil},
		{"half a shared role", "half role", "", sharedProfiles, "profile: its role_arn is empty", nil},
		{"a circle", "circle", cliProfiles, "", "profile: its chain of source profiles has no end", nil},
		{"a chain into nothing", "orphan", cliProfiles, sharedProfiles, "profile: its source profile does not exist", nil},
		{
			"no JSON", "", `{"current":"default","profiles":[{"access_key_secret":"CANARY",}]}`, sharedProfiles,
			"profile: the command line's configuration is not valid JSON", nil,
		},
		{"no INI", "", "", "[CANARY\nCANARY", "profile: the credentials file is not valid INI", nil},
		{"no profiles", "", "{}", "", "profile: no such profile; its name is ALIBABA_CLOUD_PROFILE, else current in the command line's file, else default", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCloud()
			c.keys["STS.cli"] = [2]string{"s", "t"}
			o := c.serve(t)
			o.Source, o.Profile = "profile", test.profile
			place := func(text, file string) string {
				path := filepath.Join(t.TempDir(), file)
				if text == "" {
					return path
				}
				return write(t, path, strings.NewReplacer("TOKEN", token, "URI\"}", o.STSEndpoint+"/credentials?token=uri-token\"}").Replace(text))
			}
			o.CLIConfigFile, o.CredentialsFile = place(test.cli, "config.json"), place(test.shared, "credentials")
			got, err := c.whoami(t.Context(), provider(t, o))
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			expect(t, "calls", c.asked(), test.calls)
		})
	}
	for mode, why := range map[string]string{
		"CloudSSO": "a person signs in with a browser, and the command line keeps the session", "OAuth": "a person signs in with a browser, and the command line keeps the session",
		"External": "the exporter starts no other program", "RsaKeyPair": "Alibaba Cloud has deprecated it",
		"BearerToken": "CAS takes access keys only", "Anonymous": "CAS takes access keys only",
	} {
		o := newCloud().options()
		o.Source, o.CLIConfigFile = "profile", write(t, filepath.Join(t.TempDir(), "config.json"),
			`{"current":"x","profiles":[{"name":"x","mode":"`+mode+`","access_key_id":"CANARY","access_key_secret":"CANARY"}]}`)
		want := "profile: its mode " + mode + " is not supported: " + why
		fails(t, provider(t, o), want)
		if _, err := o.Check(); fmt.Sprint(err) != want {
			t.Errorf("check: got %v, want %s", err, want)
		}
		text, err := os.ReadFile("../../../docs/settings.md")
		if err != nil || !strings.Contains(string(text), "`"+mode+"`") {
			t.Errorf("docs/settings.md does not say that %s is not supported (%v)", mode, err)
		}
	}
	t.Run("a changed profile is used once the old key is refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud()
			o := c.options()
			o.Source, o.CLIConfigFile = "profile", write(t, filepath.Join(t.TempDir(), "config.json"), cliProfiles)
			p := provider(t, o)
			c.is(t, p, "LTAIbase")
			c.keys = map[string][2]string{"LTAInext": {"next", ""}}
			write(t, o.CLIConfigFile, strings.NewReplacer("LTAIbase", "LTAInext", "base+secret/", "next").Replace(cliProfiles))
			time.Sleep(time.Minute)
			if _, err := c.whoami(t.Context(), p); err == nil {
				t.Fatal("the old key was accepted")
			}
			p.Invalidate()
			c.is(t, p, "LTAInext")
		})
	})
}

// TestSTSAddressOfAProfile holds where the token of a profile goes.
func TestSTSAddressOfAProfile(t *testing.T) {
	token := write(t, filepath.Join(t.TempDir(), "token"), "jwt")
	for _, test := range []struct{ fields, region, endpoint, want string }{
		{"", "", "", "https://sts.aliyuncs.com"},
		{`,"sts_region":"ap-southeast-1"`, "cn-beijing", "", "https://sts.ap-southeast-1.aliyuncs.com"},
		{"", "cn-beijing", "", "https://sts.cn-beijing.aliyuncs.com"},
		{`,"sts_region":"ap-southeast-1","enable_vpc":true`, "", "", "https://sts-vpc.ap-southeast-1.aliyuncs.com"},
		{`,"sts_endpoint":"sts-vpc.cn-hangzhou.aliyuncs.com"`, "cn-beijing", "https://sts.example", "https://sts-vpc.cn-hangzhou.aliyuncs.com"},
		{`,"sts_endpoint":" http://sts.example/ ","sts_region":"cn-beijing"`, "", "", "https://sts.example"},
		{`,"sts_endpoint":"sts.example:8443"`, "", "", "https://sts.example:8443"},
		{`,"sts_endpoint":""`, "", "https://sts.example", "https://sts.example"},
		{`,"sts_region":"cn-beijing"`, "", "https://sts.example", "https://sts.example"},
		{`,"sts_region":"x.evil.example/"`, "", "", ""},
		{`,"sts_region":"x@evil.example"`, "", "", ""},
		{`,"sts_region":"x#"`, "", "", ""},
		{`,"sts_endpoint":"evil.example/x"`, "", "", ""},
		{`,"sts_endpoint":"user@evil.example"`, "", "", ""},
		{`,"sts_endpoint":"evil.example?"`, "", "", ""},
	} {
		host := ""
		o := credentials.Options{
			Source: "profile", STSRegion: test.region, STSEndpoint: test.endpoint, SessionName: "s",
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				host = r.URL.Scheme + "://" + r.URL.Host
				return nil, http.ErrServerClosed
			}),
			CLIConfigFile: write(t, filepath.Join(t.TempDir(), "config.json"),
				`{"current":"x","profiles":[{"name":"x","mode":"OIDC","ram_role_arn":"r","oidc_provider_arn":"p","oidc_token_file":"`+token+`"`+test.fields+`}]}`),
		}
		_, _ = provider(t, o).Credentials(t.Context())
		said, err := o.Check()
		if host != test.want || (err == nil) != (test.want != "") || err == nil && said != "mode OIDC, by STS at "+strings.TrimPrefix(test.want, "https://") {
			t.Errorf("%s: got %s and %q, %v; want %s", test.fields, host, said, err, test.want)
		}
	}
}

// FuzzProfile reads any text as both files of profiles, and any name. It neither
// panics nor hangs, and no error repeats them.
func FuzzProfile(f *testing.F) {
	f.Add(cliProfiles, "chain")
	f.Add(sharedProfiles, "shared")
	f.Add(`{"current":1}`, "")
	f.Add("[a]\ntype=%(type)s\naccess_key_id=`x`\n[a.b]\n", "a.b")
	f.Fuzz(func(t *testing.T, text, name string) {
		cli, shared := credentials.ParseProfiles(text, name)
		for _, err := range []error{cli, shared} {
			said := fmt.Sprint(err)
			if len(said) > 120 || strings.ContainsAny(said, "\n\r") {
				t.Errorf("got %q, want one line of ours", said)
			}
		}
	})
}

// FuzzAnswer reads any text as the answer of STS, an instance or a URI.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"Credentials":{"AccessKeyId":"a","AccessKeySecret":"b","SecurityToken":"c","Expiration":"2026-11-23T08:00:00Z"}}`)
	f.Add(`{"Code":"Success","AccessKeyId":"a","AccessKeySecret":"b","Expiration":"2026-11-23T08:00:00+08:00"}`)
	f.Add(`{"Code":"AuthenticationFail.NoPermission","Expiration":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		code, complete := credentials.ParseAnswer(text)
		if !complete {
			t.Errorf("%q was taken for a key", text)
		}
		if len(code) > 100 || strings.ContainsAny(code, "\n\r0123456789+/=") {
			t.Errorf("%q is repeated as a code: %q", text, code)
		}
	})
}
