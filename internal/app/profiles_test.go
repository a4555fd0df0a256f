package app_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestCheckConfigReadsProfiles checks what --check-config says of the profiles that
// people have: of the command line's file, then of the one that the SDKs share.
func TestCheckConfigReadsProfiles(t *testing.T) {
	const key = `"access_key_id":"LTAI-CANARY","access_key_secret":"CANARY"`
	cli := []struct{ name, fields string }{
		{"AK", `"mode":"AK",` + key},
		{"AK without a mode", key},
		{"AK with white space around it", `"mode":"AK","access_key_id":" LTAI-CANARY\n","access_key_secret":"\tCANARY"`},
		{"AK without a secret", `"mode":"AK","access_key_id":"LTAI-CANARY"`},
		{"AK in quotes", `"mode":"AK","access_key_id":"LTAI-CANARY","access_key_secret":"'CANARY'"`},
		{"AK without a mode, in quotes", `"access_key_id":"\"LTAI-CANARY\"","access_key_secret":"CANARY"`},
		{"StsToken in quotes", `"mode":"StsToken",` + key + `,"sts_token":"\"CANARY"`},
		{"StsToken", `"mode":"StsToken",` + key + `,"sts_token":"CANARY"`},
		{"RamRoleArn, STS of a region", `"mode":"RamRoleArn",` + key + `,"ram_role_arn":"acs:ram::1:role/x","sts_region":"ap-southeast-1"`},
		{"RamRoleArn, STS by name", `"mode":"RamRoleArn",` + key + `,"ram_role_arn":"acs:ram::1:role/x","sts_endpoint":"sts-vpc.cn-hangzhou.aliyuncs.com"`},
		{"ChainableRamRoleArn", `"mode":"ChainableRamRoleArn","source_profile":"base","ram_role_arn":"acs:ram::1:role/y"`},
		{"ChainableRamRoleArn on nothing", `"mode":"ChainableRamRoleArn","source_profile":"CANARY","ram_role_arn":"acs:ram::1:role/y"`},
		{"RamRoleArnWithRoleName", `"mode":"RamRoleArnWithRoleName","ram_role_name":"r","ram_role_arn":"acs:ram::1:role/x"`},
		{"OIDC, STS of another host", `"mode":"OIDC","ram_role_arn":"r","oidc_provider_arn":"p","oidc_token_file":"/token","sts_region":"x.CANARY.example/"`},
		{"CredentialsURI", `"mode":"CredentialsURI","credentials_uri":"http://127.0.0.1/?token=CANARY"`},
		{"CredentialsURI of another host", `"mode":"CredentialsURI","credentials_uri":"http://keys.example.com/CANARY"`},
		{"CredentialsURI of another host over https", `"mode":"CredentialsURI","credentials_uri":"https://keys.example.com/CANARY"`},
		{"CredentialsURI of a link-local host", `"credentials_uri":"http://169.254.1.1/CANARY"`},
		{"CredentialsURI that is no address", `"mode":"CredentialsURI","credentials_uri":"ftp://CANARY"`},
		{"CloudSSO", `"mode":"CloudSSO","cloud_sso_sign_in_url":"https://CANARY",` + key},
		{"OAuth", `"mode":"OAuth","oauth_site_type":"CN","oauth_access_token":"CANARY"`},
		{"External", `"mode":"External","process_command":"CANARY"`},
		{"RsaKeyPair without a mode", `"private_key":"CANARY","key_pair_name":"CANARY"`},
		{"BearerToken", `"mode":"BearerToken","bearer_token":"CANARY"`},
		{"EcsRamRole without a mode", `"ram_role_name":"r"`},
		{"a mode of tomorrow", `"mode":"CANARY",` + key},
		{"nothing", `"region_id":"cn-hangzhou"`},
	}
	const iniKey = "access_key_id = LTAI-CANARY\naccess_key_secret = CANARY\n"
	shared := []struct{ name, text string }{
		{"access_key", "[default]\ntype = access_key\n" + iniKey},
		{"no type", "\ufeff[default]\n" + iniKey},
		{"sts", "[default]\ntype = sts\n" + iniKey + "security_token = CANARY\n"},
		{"sts in quotes", "[default]\ntype = sts\n" + iniKey + "security_token = `CANARY'`\n"},
		{"sts without a token", "[default]\ntype = sts\n" + iniKey},
		{"ram_role_arn", "[default]\ntype = ram_role_arn\n" + iniKey + "role_arn = acs:ram::1:role/x\n"},
		{"ecs_ram_role", "[default]\ntype = ecs_ram_role\nrole_name = r\n"},
		{"oidc_role_arn", "[default]\ntype = oidc_role_arn\nrole_arn = r\noidc_provider_arn = p\noidc_token_file_path = /token\n"},
		{"rsa_key_pair", "[default]\ntype = rsa_key_pair\npublic_key_id = CANARY\nprivate_key_file = CANARY\n"},
		{"bearer", "[default]\ntype = bearer\nbearer_token = CANARY\n"},
		{"another type", "[default]\ntype = CANARY\n" + iniKey},
		{"not enabled", "[default]\nenable = false\ntype = access_key\n" + iniKey},
		{"another name", "[other]\ntype = access_key\n" + iniKey},
		{"no INI", "[CANARY\n"},
	}
	var got strings.Builder
	check := func(file, name, variable, text string) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		environment(t, "https://cas.aliyuncs.com", map[string]string{
			"HOME": "/nowhere", "ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "", variable: path, "CAS_CREDENTIALS": "profile",
		})
		status, stdout, stderr := program(t.Context(), "--check-config")
		nothingPrivate(t, name, stdout+stderr)
		said, _, _ := strings.Cut(stderr, "\n")
		if status == exitOK {
			_, said, _ = strings.Cut(strings.TrimSpace(stdout), "# the profile: ")
		}
		fmt.Fprintf(&got, "%s, %s\n\tstatus %d: %s\n", file, name, status, said)
	}
	for _, profile := range cli {
		check("config.json", profile.name, "ALIBABA_CLOUD_CONFIG_FILE",
			`{"current":"x","profiles":[{"name":"base","mode":"AK",`+key+`},{"name":"x",`+profile.fields+`}]}`)
	}
	for _, profile := range shared {
		check("credentials", profile.name, "ALIBABA_CLOUD_CREDENTIALS_FILE", profile.text)
	}
	const golden = "testdata/profiles.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("run with -update to accept (-want +got):\n%s", diff)
	}
}
