package config_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/config"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/docsync"
)

var update = flag.Bool("update", false, "write the table of settings into docs/settings.md")

// key is the least that the settings need.
var key = env{"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}

type env map[string]string

// clean removes what the machine sets, until the test ends.
func clean(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "CAS_") || strings.HasPrefix(name, "ALIBABA_CLOUD_") || name == "POD_NAME" || strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", "/nowhere")
}

// load loads the settings from an environment and flags.
func load(t *testing.T, environment env, args ...string) (*config.Settings, error) {
	t.Helper()
	clean(t)
	for name, value := range environment {
		t.Setenv(name, value)
	}
	return config.Load(args)
}

// good loads settings that must be valid.
func good(t *testing.T, environment env, args ...string) *config.Settings {
	t.Helper()
	s, err := load(t, environment, args...)
	if err != nil {
		t.Fatalf("got %v, want no fault", err)
	}
	return s
}

func effective(s *config.Settings) string {
	var b strings.Builder
	s.WriteEffective(&b)
	return b.String()
}

// with returns the key and more.
func with(pairs ...string) env {
	e := env{}
	maps.Copy(e, key)
	for i := 0; i < len(pairs); i += 2 {
		e[pairs[i]] = pairs[i+1]
	}
	return e
}

// TestDefaults compares every name and default with the contract.
func TestDefaults(t *testing.T) {
	want := `CAS_JOB_IDS=
CAS_DISCOVERY=true
CAS_DISCOVERY_MAX_AGE=720h
CAS_DISCOVERY_JOB_TYPES=
CAS_DISCOVERY_STATUSES=
CAS_DISCOVERY_NAME_REGEXP=
CAS_STATUSES=
CAS_CLOUD_PRODUCTS=
CAS_REGION_ID=cn-hangzhou
CAS_ENDPOINT=https://cas.aliyuncs.com
CAS_POLL_INTERVAL=1m
CAS_RESYNC_INTERVAL=1h
CAS_MAX_STALENESS=10m
CAS_REQUEST_TIMEOUT=15s
CAS_REQUESTS_PER_SECOND=5
CAS_CONCURRENCY=4
CAS_MAX_ATTEMPTS=4
CAS_PAGE_SIZE=50
CAS_MAX_WORKERS_PER_JOB=200000
CAS_MAX_GROUPS_PER_JOB=2000
CAS_MAX_JOBS=100000
CAS_FAILED_WORKER_LIMIT=100
CAS_STUCK_AFTER=15m
CAS_PROBE_TARGETS_PER_JOB=0
CAS_ZERO_FILL=true
CAS_CREDENTIALS=auto
CAS_ACCESS_KEY_ID_FILE=
CAS_ACCESS_KEY_SECRET_FILE=
CAS_SECURITY_TOKEN_FILE=
CAS_ROLE_ARN=
CAS_ROLE_EXTERNAL_ID=
CAS_ROLE_SESSION_NAME=aliyun_cas_exporter
CAS_ACCOUNTS=
CAS_SHARD=0
CAS_TOTAL_SHARDS=1
CAS_WEB_LISTEN_ADDRESS=:10077
CAS_WEB_SYSTEMD_SOCKET=false
CAS_WEB_TELEMETRY_PATH=/metrics
CAS_WEB_CONFIG_FILE=
CAS_WEB_ENABLE_PPROF=false
CAS_LOG_LEVEL=info
CAS_LOG_FORMAT=logfmt
# credentials come from: env
`
	if diff := cmp.Diff(want, effective(good(t, key))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, v := range config.Table() {
		if line := v.Name + "=" + v.Default + "\n"; v.Default != "" && !strings.Contains(want, line) {
			t.Errorf("the table says %s", line)
		}
	}
	blank := with()
	for _, v := range config.Table() {
		blank[v.Name] = " \t"
	}
	if diff := cmp.Diff(want, effective(good(t, blank))); diff != "" {
		t.Errorf("with every variable left blank (-want +got):\n%s", diff)
	}
}

// TestEnvironmentIsLeftAlone loads settings that need tidying.
func TestEnvironmentIsLeftAlone(t *testing.T) {
	clean(t)
	for name, value := range with("CAS_PAGE_SIZE", " 20\n", "CAS_JOB_IDS", " ", "HTTPS_PROXY", " http://127.0.0.1:1\n", "CAS_SHARD", "") {
		t.Setenv(name, value)
	}
	before := os.Environ()
	for _, mode := range []string{"--once", "--demo"} {
		s, err := config.Load([]string{mode})
		if err != nil {
			t.Fatal(err)
		}
		s.UseDemo("http://127.0.0.1:1", "id", "secret")
	}
	if diff := cmp.Diff(before, os.Environ()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestREADMEHasTheTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range config.Table() {
		value := ""
		if v.Default != "" {
			value = "`" + v.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, value, v.Meaning)
	}
	docsync.Check(t, *update, "../docs/settings.md", "settings", b.String())
}

// TestValues loads one variable at a time and looks at what is in force.
func TestValues(t *testing.T) {
	for _, test := range []struct{ name, variable, value, want string }{
		{"spaces around", "CAS_PAGE_SIZE", " 20\n", "20"},
		{"days", "CAS_DISCOVERY_MAX_AGE", "7d", "168h"},
		{"weeks", "CAS_DISCOVERY_MAX_AGE", "2w", "336h"},
		{"a sum of units", "CAS_POLL_INTERVAL", "1m30s", "1m30s"},
		{"lists over lines", "CAS_CLOUD_PRODUCTS", "CDN,\n  SLB\n", "CDN,SLB"},
		{"fractions of a unit", "CAS_RESYNC_INTERVAL", "1.5h", "1h30m"},
		{"no limit", "CAS_DISCOVERY_MAX_AGE", "0", "0s"},
		{"a fraction", "CAS_REQUESTS_PER_SECOND", "0.5", "0.5"},
		{"a list with spaces, gaps and repetitions", "CAS_JOB_IDS", " 8888 ,,8889, 8888,", "8888,8889"},
		{"off by number", "CAS_DISCOVERY", "0", "false"},
		{"a level in capitals", "CAS_LOG_LEVEL", "WARN", "warn"},
		{"a host", "CAS_ENDPOINT", "cas-vpc.cn-hangzhou.aliyuncs.com", "https://cas-vpc.cn-hangzhou.aliyuncs.com"},
		{"a slash at the end", "CAS_ENDPOINT", "https://cas.aliyuncs.com/", "https://cas.aliyuncs.com"},
		{"clear text on loopback", "CAS_ENDPOINT", "http://[::1]:8080", "http://[::1]:8080"},
		{"clear text on localhost", "CAS_ENDPOINT", "http://localhost:8080", "http://localhost:8080"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := good(t, with("CAS_JOB_IDS", "1", test.variable, test.value))
			if want := test.variable + "=" + test.want + "\n"; !strings.Contains(effective(s), want) {
				t.Errorf("got %s, want %s", effective(s), want)
			}
		})
	}
}

// TestIntervalsFollowThePoll sets one interval; those that are left open fit it.
func TestIntervalsFollowThePoll(t *testing.T) {
	for interval, want := range map[string][2]time.Duration{
		"100ms": {time.Hour, 10 * time.Minute},
		"5m":    {time.Hour, 15 * time.Minute},
		"2h":    {2 * time.Hour, 6 * time.Hour},
	} {
		s := good(t, with("CAS_POLL_INTERVAL", interval))
		if got := [2]time.Duration{time.Duration(*s.ResyncInterval), time.Duration(*s.MaxStaleness)}; got != want {
			t.Errorf("%s: resync and staleness are %v, want %v", interval, got, want)
		}
	}
}

// TestFaults has the whole report for each mistake, and for many at once.
func TestFaults(t *testing.T) {
	role := "acs:ram::1000000000000001:role/cas"
	for _, test := range []struct {
		name string
		env  env
		args []string
		want string
	}{
		{"everything at once", env{
			"CAS_JOB_IDS": "8888,abc,-1,prod/5", "CAS_DISCOVERY": "perhaps", "CAS_DISCOVERY_MAX_AGE": "-1h", "CAS_DISCOVERY_STATUSES": "done",
			"CAS_DISCOVERY_NAME_REGEXP": "a)(b", "CAS_STATUSES": "broken,error", "CAS_REGION_ID": "cn-nowhere",
			"CAS_POLL_INTERVAL": "soon", "CAS_RESYNC_INTERVAL": "1 hour", "CAS_MAX_STALENESS": "10", "CAS_REQUEST_TIMEOUT": "1ms", "CAS_REQUESTS_PER_SECOND": "NaN",
			"CAS_CONCURRENCY": "0", "CAS_MAX_ATTEMPTS": "many", "CAS_PAGE_SIZE": "010", "CAS_MAX_WORKERS_PER_JOB": "1e6", "CAS_FAILED_WORKER_LIMIT": "-1",
			"CAS_CREDENTIALS": "LTAI-of-somebody", "CAS_ROLE_ARN": "role", "CAS_ROLE_SESSION_NAME": "two words", "CAS_SHARD": "1", "CAS_TOTAL_SHARDS": "0",
			"CAS_WEB_LISTEN_ADDRESS": ":1,10077", "CAS_WEB_TELEMETRY_PATH": "metrics", "CAS_WEB_SYSTEMD_SOCKET": "maybe", "CAS_WEB_CONFIG_FILE": "/nowhere/web.yml", "CAS_WEB_ENABLE_PPROF": "on", "CAS_LOG_LEVEL": "loud", "CAS_LOG_FORMAT": "xml",
		}, nil, `CAS_JOB_IDS: "abc" is not a job id such as 8888
CAS_JOB_IDS: "-1" is not a job id such as 8888
CAS_JOB_IDS: "prod/5" must be a job id without a name or region
CAS_DISCOVERY: "perhaps" is not true or false
CAS_DISCOVERY_MAX_AGE: -1h is negative; 0 means no limit
CAS_DISCOVERY_STATUSES: "done" is not one of editing, pending, scheduling, processing, success, error
CAS_DISCOVERY_NAME_REGEXP: "a)(b" is not a regular expression: unexpected )
CAS_STATUSES: "broken" is not one of editing, pending, scheduling, processing, success, error, rollback, rollback_success, rollback_error
CAS_ENDPOINT: is empty, and region "cn-nowhere" of CAS_REGION_ID has no documented endpoint; CAS_REGION_ID is the region of the API, for most accounts cn-hangzhou
CAS_POLL_INTERVAL: "soon" is not a duration such as 30s, 1h30m or 7d
CAS_RESYNC_INTERVAL: "1 hour" is not a duration such as 30s, 1h30m or 7d
CAS_MAX_STALENESS: "10" is not a duration such as 30s, 1h30m or 7d
CAS_REQUEST_TIMEOUT: 1ms is not between 100ms and 5m
CAS_REQUESTS_PER_SECOND: NaN is not between 0.001 and 10000
CAS_CONCURRENCY: 0 is not between 1 and 256
CAS_MAX_ATTEMPTS: "many" is not a whole number
CAS_PAGE_SIZE: "010" is not a whole number
CAS_MAX_WORKERS_PER_JOB: "1e6" is not a whole number
CAS_FAILED_WORKER_LIMIT: -1 is not between 0 and 1000000
CAS_CREDENTIALS: is not one of auto, env, file, oidc, ecs_ram_role, uri, profile
CAS_ROLE_ARN: is not like acs:ram::123456789012****:role/name
CAS_ROLE_SESSION_NAME: "two words" is not 2 to 64 letters, digits and . @ - _
CAS_TOTAL_SHARDS: 0 is not between 1 and 10000
CAS_WEB_LISTEN_ADDRESS: "10077" is not host:port or :port
CAS_WEB_SYSTEMD_SOCKET: "maybe" is not true or false
CAS_WEB_TELEMETRY_PATH: "metrics" is not a path such as /metrics, of letters, digits and . _ -
CAS_WEB_CONFIG_FILE: the file cannot be read: no such file or directory
CAS_WEB_ENABLE_PPROF: "on" is not true or false
CAS_LOG_LEVEL: "loud" is not debug, info, warn or error
CAS_LOG_FORMAT: "xml" is not one of logfmt, json`},
		{
			"nothing is configured",
			env{},
			nil,
			"ALIBABA_CLOUD_ACCESS_KEY_ID: is not set, and no other source of credentials is configured; --help lists them, --demo needs none",
		},
		{
			"nothing to watch", with("CAS_DISCOVERY", "false"), nil,
			"CAS_DISCOVERY: is off and CAS_JOB_IDS is empty: there is nothing to watch",
		},
		{"an interval beyond reason", with("CAS_POLL_INTERVAL", "200y"), nil, "CAS_POLL_INTERVAL: 1752000h is not between 100ms and 24h"},
		{
			"times that contradict each other", with("CAS_POLL_INTERVAL", "2h", "CAS_RESYNC_INTERVAL", "1h", "CAS_MAX_STALENESS", "3h"), nil,
			"CAS_RESYNC_INTERVAL: 1h is less than CAS_POLL_INTERVAL (2h)\nCAS_MAX_STALENESS: 3h is less than two poll intervals (4h)",
		},
		{"a page beyond reason", with("CAS_PAGE_SIZE", "1001"), nil, "CAS_PAGE_SIZE: 1001 is not between 1 and 1000"},
		{"no rate", with("CAS_REQUESTS_PER_SECOND", "0"), nil, "CAS_REQUESTS_PER_SECOND: 0 is not between 0.001 and 10000"},
		{"an endless rate", with("CAS_REQUESTS_PER_SECOND", "+Inf"), nil, "CAS_REQUESTS_PER_SECOND: +Inf is not between 0.001 and 10000"},
		{
			"clear text", with("CAS_ENDPOINT", "http://cas.aliyuncs.com"), nil,
			"CAS_ENDPOINT: must be https:// unless the host is a loopback address: the key would travel in clear text",
		},
		{"a path", with("CAS_ENDPOINT", "https://cas.aliyuncs.com/api"), nil, "CAS_ENDPOINT: must be a scheme and a host only"},
		{"a password in the address", with("CAS_ENDPOINT", "https://user:password@cas.aliyuncs.com"), nil, "CAS_ENDPOINT: must be a scheme and a host only"},
		{"no port", with("CAS_ENDPOINT", "https://[::1]:"), nil, "CAS_ENDPOINT: is not a URL or a host such as https://cas.aliyuncs.com"},
		{"a port beyond all", with("CAS_ENDPOINT", "https://cas.aliyuncs.com:65536"), nil, "CAS_ENDPOINT: is not a URL or a host such as https://cas.aliyuncs.com"},
		{"another scheme", with("CAS_ENDPOINT", "ftp://cas.aliyuncs.com"), nil, "CAS_ENDPOINT: is not a URL or a host such as https://cas.aliyuncs.com"},
		{
			"accounts", with("CAS_ACCOUNTS", "prod:"+role+",prod:"+strings.Replace(role, "1:", "2:", 1)+",again:"+role+",bad name:"+role+",x:role,alone"), nil,
			`CAS_ACCOUNTS: account prod is named twice
CAS_ACCOUNTS: account again has the number of another: its jobs would be read twice, at twice the rate
CAS_ACCOUNTS: "bad name:acs:ram::1000000000000001:role/..." is not name:role-arn; a name has letters, digits, dots, dashes and underscores
CAS_ACCOUNTS: the role of account x is not like acs:ram::123456789012****:role/name
CAS_ACCOUNTS: "alone" is not name:role-arn; a name has letters, digits, dots, dashes and underscores`,
		},
		{"accounts, semicolons", with("CAS_ACCOUNTS", "a:"+role+";b:"+role), nil, "CAS_ACCOUNTS: accounts must be separated by commas"},
		{"accounts, spaces", with("CAS_ACCOUNTS", "a:"+role+" b:"+role), nil, "CAS_ACCOUNTS: accounts must be separated by commas"},
		{"accounts, lines", with("CAS_ACCOUNTS", "a:"+role+"\nb:"+role), nil, "CAS_ACCOUNTS: holds control characters, or is not valid UTF-8"},
		{"accounts, wide commas", with("CAS_ACCOUNTS", "a:"+role+"\uff0cb:"+role), nil, "CAS_ACCOUNTS: the role of account a is not like acs:ram::123456789012****:role/name"},
		{"accounts, ampersands", with("CAS_ACCOUNTS", "a:"+role+"&b:"+role), nil, "CAS_ACCOUNTS: the role of account a is not like acs:ram::123456789012****:role/name"},
		{"accounts, slashes", with("CAS_ACCOUNTS", "a:"+role+"/b:"+role), nil, "CAS_ACCOUNTS: the role of account a is not like acs:ram::123456789012****:role/name"},
		{"a role in quotes", with("CAS_ROLE_ARN", `"`+role+`"`), nil, "CAS_ROLE_ARN: is not like acs:ram::123456789012****:role/name"},
		{"a role with an invisible character", with("CAS_ROLE_ARN", role+"\u200b"), nil, "CAS_ROLE_ARN: is not like acs:ram::123456789012****:role/name"},
		{"accounts, bars", with("CAS_ACCOUNTS", "a:"+role+"|b:"+role), nil, "CAS_ACCOUNTS: accounts must be separated by commas"},
		{"products, semicolons", with("CAS_CLOUD_PRODUCTS", "CDN;SLB"), nil, "CAS_CLOUD_PRODUCTS: products must be separated by commas"},
		{"products, spaces", with("CAS_CLOUD_PRODUCTS", "CDN SLB"), nil, "CAS_CLOUD_PRODUCTS: products must be separated by commas"},
		{"jobs, semicolons", with("CAS_JOB_IDS", "8888;8889"), nil, `CAS_JOB_IDS: "8888;8889" is not a job id such as 8888`},
		{
			"jobs of accounts", with("CAS_ACCOUNTS", "prod:"+role, "CAS_JOB_IDS", "8888,test/8889"), nil,
			"CAS_JOB_IDS: \"8888\" must be name/id with a name of CAS_ACCOUNTS\nCAS_JOB_IDS: \"test/8889\" must be name/id with a name of CAS_ACCOUNTS",
		},
		{
			"an account without jobs", with("CAS_ACCOUNTS", "prod:"+role+",test:acs:ram::2:role/x", "CAS_JOB_IDS", "prod/8888"), nil,
			"CAS_DISCOVERY: is off and CAS_JOB_IDS has no job of account test: there is nothing to watch",
		},
		{"a shard too many", with("CAS_SHARD", "3", "CAS_TOTAL_SHARDS", "3"), nil, "CAS_SHARD: 3 is not between 0 and CAS_TOTAL_SHARDS-1 (2)"},
		{"shards beyond reason", with("CAS_TOTAL_SHARDS", "72057594037927936"), nil, "CAS_TOTAL_SHARDS: 72057594037927936 is not between 1 and 10000"},
		{"fewer shards than none", with("CAS_TOTAL_SHARDS", "-1"), nil, "CAS_TOTAL_SHARDS: -1 is not between 1 and 10000"},
		{"shards beyond 64 bits", with("CAS_TOTAL_SHARDS", "18446744073709551617"), nil, `CAS_TOTAL_SHARDS: "18446744073709551617" is not a whole number`},
		{"shards, one too many", with("CAS_TOTAL_SHARDS", "10001", "CAS_SHARD", "10000"), nil, "CAS_TOTAL_SHARDS: 10001 is not between 1 and 10000"},
		{"a shard that is no number", with("CAS_SHARD", "one", "CAS_TOTAL_SHARDS", "3"), nil, `CAS_SHARD: "one" is not a whole number`},
		{
			"flags", key,
			[]string{"--log.level=loud", "--log.format=xml", "--web.listen-address=x", "--web.systemd-socket=2", "--web.telemetry-path=/runbooks"},
			`--web.listen-address: "x" is not host:port or :port
--web.systemd-socket: "2" is not true or false
--web.telemetry-path: "/runbooks" is the path of another page
--log.level: "loud" is not debug, info, warn or error
--log.format: "xml" is not one of logfmt, json`,
		},
		{"no address", key, []string{"--web.listen-address="}, "--web.listen-address: names no address"},
		{"an unknown flag", key, []string{"--poll.interval=1m"}, "command line: flag provided but not defined: -poll.interval; see --help"},
		{"an unknown flag, and no key", nil, []string{"--demmo"}, "command line: flag provided but not defined: -demmo; see --help"},
		{"an argument", key, []string{"LTAI-of-somebody"}, "command line: takes flags only; see --help"},
		{"two modes", key, []string{"--once", "--check-config"}, "command line: --once and --check-config exclude each other"},
		{"a previous output of a server", key, []string{"--once.previous=x"}, "command line: --once.previous requires --once"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.env, test.args...)
			got := fmt.Sprint(err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWebConfigurations are read before anything starts, and never shown.
func TestWebConfigurations(t *testing.T) {
	dir := t.TempDir()
	tls := httptest.NewTLSServer(nil)
	tls.Close()
	private, err := x509.MarshalPKCS8PrivateKey(tls.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"good.crt": {Type: "CERTIFICATE", Bytes: tls.Certificate().Raw},
		"good.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"basic_auth_users:\n  a: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi": "",

		"basic_auth_users:\n  a: CANARY":                                    "is not a valid web configuration: crypto/bcrypt: hashedSecret too short to be a bcrypted password",
		"basic_auth_users: CANARY":                                          "is not a valid web configuration: yaml: unmarshal errors: line 1: cannot unmarshal !!str `...` into map[string]config.Secret",
		"users: [CANARY]":                                                   "is not a valid web configuration: yaml: unmarshal errors: line 1: field users not found in type web.Config",
		"tls_server_config: {cert_file: CANARY, key_file: CANARY}":          "is not a valid web configuration: failed to read cert_file: no such file or directory",
		"tls_server_config: {cert_file: ., key_file: CANARY}":               "is not a valid web configuration: failed to read cert_file: is a directory",
		"tls_server_config: {cert_file: 'CANARY (a: b)', key_file: CANARY}": "is not a valid web configuration: failed to read cert_file: no such file or directory",
		"tls_server_config: {cert_file: good.crt, key_file: CANARY}":        "is not a valid web configuration: failed to read key_file: no such file or directory",
		"tls_server_config: {cert_file: good.crt, key_file: good.key, client_auth_type: RequireAnyClientCert, client_ca_file: CANARY}": "the client_ca_file cannot be read: no such file or directory",
		"tls_server_config: {cert: CANARY, key: CANARY}": "is not a valid web configuration: failed to load X509KeyPair: tls: failed to find any PEM data in certificate input",
		"tls_server_config: {}\n\tCANARY":                "is not a valid web configuration: yaml: line 2: found character that cannot start any token",
		"tls_server_config: {min_version: TLS99}":        "is not a valid web configuration: unknown TLS version: TLS99",
	} {
		file := filepath.Join(dir, "web.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := load(t, with("CAS_WEB_CONFIG_FILE", file))
		got := ""
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "CAS_WEB_CONFIG_FILE: ")
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
		if _, err := load(t, with("CAS_WEB_CONFIG_FILE", file), "--healthcheck"); err != nil {
			t.Errorf("%s\nthe health check says %v", text, err)
		}
	}
}

// TestEveryVariableIsNamed puts nonsense into one variable at a time: those that
// take it are texts; all others are named once, and nothing else is.
func TestEveryVariableIsNamed(t *testing.T) {
	var texts []string
	for _, v := range config.Table() {
		_, err := load(t, with(v.Name, "nonsense: "))
		if err == nil {
			texts = append(texts, v.Name)
			continue
		}
		var faults *config.Error
		if !errors.As(err, &faults) || len(faults.Faults) != 1 {
			t.Errorf("%s: got %q, want one fault", v.Name, err)
			continue
		}
		if name := faults.Faults[0].Name; name != v.Name {
			t.Errorf("%s: got %q, want its name", v.Name, err)
		}
	}
	want := []string{
		"CAS_DISCOVERY_JOB_TYPES", "CAS_DISCOVERY_NAME_REGEXP", "CAS_CLOUD_PRODUCTS",
		"CAS_ACCESS_KEY_ID_FILE", "CAS_ACCESS_KEY_SECRET_FILE", "CAS_SECURITY_TOKEN_FILE", "CAS_ROLE_EXTERNAL_ID",
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("variables that take any text (-want +got):\n%s", diff)
	}
	for _, name := range texts {
		for _, value := range []string{"a\x01b", "a\nb", "\xff"} {
			if _, err := load(t, with(name, value)); fmt.Sprint(err) != name+": holds control characters, or is not valid UTF-8" {
				t.Errorf("%s=%q: got %v", name, value, err)
			}
		}
	}
}

// TestStatusesAreTheClients compares the statuses that can be set, of which this package
// has lists of its own, with those that the client documents.
func TestStatusesAreTheClients(t *testing.T) {
	for name, statuses := range map[string][]string{"CAS_STATUSES": cas.WorkerStatuses(), "CAS_DISCOVERY_STATUSES": cas.JobStatuses()} {
		_, err := load(t, with(name, "nonsense"))
		want := name + `: "nonsense" is not one of ` + strings.Join(statuses, ", ")
		if got := fmt.Sprint(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFlagsOverrideVariables(t *testing.T) {
	s := good(t, with("CAS_LOG_LEVEL", "loud", "CAS_LOG_FORMAT", "xml", "CAS_WEB_LISTEN_ADDRESS", "x", "CAS_WEB_CONFIG_FILE", "/nowhere",
		"CAS_WEB_TELEMETRY_PATH", "x", "CAS_WEB_SYSTEMD_SOCKET", "x"),
		"--log.level=debug", "--log.format", "json", "-web.listen-address=127.0.0.1:1", "--web.listen-address=:2", "--web.config.file=",
		"--web.systemd-socket", "--web.telemetry-path=/x/metrics")
	if s.LogLevel != slog.LevelDebug || s.LogFormat != "json" || s.WebListenAddress.String() != "127.0.0.1:1,:2" || s.WebConfigFile != "" ||
		!s.WebSystemdSocket || s.WebTelemetryPath != "/x/metrics" {
		t.Errorf("got %v %s %s %q %v %s, want what the flags say", s.LogLevel, s.LogFormat, s.WebListenAddress, s.WebConfigFile, s.WebSystemdSocket, s.WebTelemetryPath)
	}
}

// TestOddSettings are allowed, and worth a look: the API may know products that are not
// documented, and a key of the environment hides one in files.
func TestOddSettings(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		want     []string
	}{
		{with("CAS_CLOUD_PRODUCTS", "SLB,webHosting,DDOS"), nil},
		{with("CAS_CLOUD_PRODUCTS", "slb"), []string{`CAS_CLOUD_PRODUCTS: "slb" is not a documented product; did you mean SLB?`}},
		{with("CAS_CLOUD_PRODUCTS", "ESA,CDN"), []string{
			`CAS_CLOUD_PRODUCTS: "ESA" is not one of the documented products, ALB, APIGateway, CDN, CR, DCDN, DDOS, FC, GA, LIVE, MSE, NLB, OSS, SAE, SLB, TencentCDN, VOD, WAF, webHosting`,
		}},
		{with("CAS_ACCESS_KEY_ID_FILE", "/dev/null", "CAS_ACCESS_KEY_SECRET_FILE", "/dev/null"), []string{
			"the key files of CAS_ACCESS_KEY_ID_FILE and CAS_ACCESS_KEY_SECRET_FILE are not used: ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET take precedence; see CAS_CREDENTIALS",
		}},
		{with("CAS_ACCESS_KEY_ID_FILE", "/dev/null", "CAS_ACCESS_KEY_SECRET_FILE", "/dev/null", "CAS_CREDENTIALS", "env"), nil},
		{with("CAS_ACCESS_KEY_ID_FILE", "/dev/null", "CAS_ACCESS_KEY_SECRET_FILE", "/dev/null", "CAS_CREDENTIALS", "file"), nil},
	} {
		if s := good(t, c.settings); !slices.Equal(s.Warnings, c.want) {
			t.Errorf("%v: got %q, want %q", c.settings, s.Warnings, c.want)
		}
	}
}

// TestWarnings are about what is odd and does no harm, as what Kubernetes puts
// into pods beside a service called cas.
func TestWarnings(t *testing.T) {
	s := good(t, with("CAS_SERVICE_PORT", "443", "CAS_PORT_443_TCP_ADDR", "10.0.0.1", "CAS_POLL_INTERVALL", "5m", "CAS_", "x",
		"CAS_ACCESS_KEY_SECRET", "secret-by-a-wrong-name", "CASE", "x", "CAS_REQUESTS_PER_SECOND", "20", "CAS_DISCOVERY_JOB_TYPES", "user,robot", "CAS_PROBE_TARGETS_PER_JOB", "10", "CAS_STATUSES", "error",
		"ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "true", "CAS_ROLE_ARN", "acs:ram::1:role/x"))
	want := []string{
		"ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED has no effect on STS without ALIBABA_CLOUD_STS_REGION",
		"CAS_ is not a setting of this program",
		"CAS_ACCESS_KEY_SECRET is not a setting of this program",
		"CAS_DISCOVERY_JOB_TYPES: \"robot\" is not a documented type of job",
		"CAS_POLL_INTERVALL is not a setting of this program",
		"CAS_PORT_443_TCP_ADDR is not a setting of this program",
		"CAS_PROBE_TARGETS_PER_JOB has no effect: CAS_STATUSES leaves out success",
		"CAS_REQUESTS_PER_SECOND: 20 is more than the 10 that the API documents for all clients of an account",
		"CAS_SERVICE_PORT is not a setting of this program",
	}
	if diff := cmp.Diff(want, s.Warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRegions checks the addresses that regions lead to, and what is wrong with them.
func TestRegions(t *testing.T) {
	const elsewhere = "CAS_REGION_ID: region %s probably has no deployment jobs: certificates are documented for cn-hangzhou and ap-southeast-1 only, other regions for private CA"
	for _, test := range []struct {
		regions, endpoints, vpc string
		want                    []config.Region
		warned                  []string // regions
		fault                   string
	}{
		{regions: "", want: []config.Region{{"cn-hangzhou", "https://cas.aliyuncs.com"}}},
		{regions: "ap-southeast-1", want: []config.Region{{"ap-southeast-1", "https://cas.ap-southeast-1.aliyuncs.com"}}},
		{regions: "eu-central-1", want: []config.Region{{"eu-central-1", "https://cas.eu-central-1.aliyuncs.com"}}, warned: []string{"eu-central-1"}},
		{regions: "cn-hongkong", want: []config.Region{{"cn-hongkong", "https://cas.cn-hongkong.aliyuncs.com"}}, warned: []string{"cn-hongkong"}},
		{regions: "ap-southeast-3", want: []config.Region{{"ap-southeast-3", "https://cas.ap-southeast-3.aliyuncs.com"}}, warned: []string{"ap-southeast-3"}},
		{regions: "ap-southeast-5", want: []config.Region{{"ap-southeast-5", "https://cas.ap-southeast-5.aliyuncs.com"}}, warned: []string{"ap-southeast-5"}},
		{regions: "me-east-1", want: []config.Region{{"me-east-1", "https://cas.me-east-1.aliyuncs.com"}}, warned: []string{"me-east-1"}},
		{
			regions: "cn-hangzhou, ap-southeast-1,cn-hangzhou,",
			want:    []config.Region{{"cn-hangzhou", "https://cas.aliyuncs.com"}, {"ap-southeast-1", "https://cas.ap-southeast-1.aliyuncs.com"}},
		},
		{
			regions: "cn-hangzhou,ap-southeast-1", endpoints: "http://127.0.0.1:1,localhost:2",
			want: []config.Region{{"cn-hangzhou", "http://127.0.0.1:1"}, {"ap-southeast-1", "https://localhost:2"}},
		},
		{regions: "cn-nowhere", endpoints: "cas.example", want: []config.Region{{"cn-nowhere", "https://cas.example"}}, warned: []string{"cn-nowhere"}},
		{vpc: "true", want: []config.Region{{"cn-hangzhou", "https://cas-vpc.cn-hangzhou.aliyuncs.com"}}},
		{vpc: "TRUE", regions: "ap-southeast-1", want: []config.Region{{"ap-southeast-1", "https://cas-vpc.ap-southeast-1.aliyuncs.com"}}},
		{
			vpc: "true", regions: "cn-hangzhou,ap-southeast-1",
			want: []config.Region{{"cn-hangzhou", "https://cas-vpc.cn-hangzhou.aliyuncs.com"}, {"ap-southeast-1", "https://cas-vpc.ap-southeast-1.aliyuncs.com"}},
		},
		{vpc: "false", want: []config.Region{{"cn-hangzhou", "https://cas.aliyuncs.com"}}},
		{vpc: "true", endpoints: "cas.example", want: []config.Region{{"cn-hangzhou", "https://cas.example"}}},
		{vpc: "true", regions: "me-east-1", fault: `CAS_ENDPOINT: is empty, and region "me-east-1" of CAS_REGION_ID has no documented endpoint inside a VPC; CAS_REGION_ID is the region of the API, for most accounts cn-hangzhou`},
		{regions: "cn-hangzhou,cn-nowhere", fault: `CAS_ENDPOINT: is empty, and region "cn-nowhere" of CAS_REGION_ID has no documented endpoint; CAS_REGION_ID is the region of the API, for most accounts cn-hangzhou`},
		{regions: "cn-hangzhou;ap-southeast-1", fault: `CAS_REGION_ID: "cn-hangzhou;ap-southeast-1" is not a region such as cn-hangzhou`},
		{regions: "cn-hangzhou/evil", endpoints: "x", fault: `CAS_REGION_ID: "cn-hangzhou/evil" is not a region such as cn-hangzhou`},
		{regions: "cn-hangzhou,ap-southeast-1", endpoints: "a", fault: "CAS_ENDPOINT: has 1 different addresses for 2 regions of CAS_REGION_ID; give one for each region, in the same order"},
		{regions: "cn-hangzhou,ap-southeast-1", endpoints: "a,a", fault: "CAS_ENDPOINT: has 1 different addresses for 2 regions of CAS_REGION_ID; give one for each region, in the same order"},
		{regions: ",", fault: "CAS_REGION_ID: names no region"},
		{regions: " , ,", endpoints: "a", fault: "CAS_REGION_ID: names no region"},
		{endpoints: "a,b", fault: "CAS_ENDPOINT: has 2 different addresses for 1 regions of CAS_REGION_ID; give one for each region, in the same order"},
		{regions: "cn-hangzhou,ap-southeast-1", endpoints: "a,http://b", fault: "CAS_ENDPOINT: must be https:// unless the host is a loopback address: the key would travel in clear text"},
	} {
		s, err := load(t, with("CAS_REGION_ID", test.regions, "CAS_ENDPOINT", test.endpoints, "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", test.vpc))
		if got := fmt.Sprint(err); err != nil && got != test.fault || err == nil && test.fault != "" {
			t.Errorf("%s: got %s, want %s", test.regions, got, test.fault)
		}
		if err != nil {
			continue
		}
		var warnings []string
		for _, region := range test.warned {
			warnings = append(warnings, fmt.Sprintf(elsewhere, region))
		}
		if diff := cmp.Diff(test.want, s.Regions) + cmp.Diff(warnings, s.Warnings); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.regions, diff)
		}
	}
}

func TestMaxStaleness(t *testing.T) {
	for interval, want := range map[string]string{"1s": "10m", "3m": "10m", "5m": "15m", "1h": "3h"} {
		if got := fmt.Sprint(*good(t, with("CAS_POLL_INTERVAL", interval)).MaxStaleness); got != want {
			t.Errorf("interval %s: got %s, want %s", interval, got, want)
		}
	}
}

func TestJobs(t *testing.T) {
	s := good(t, with("CAS_JOB_IDS", "8888, 08888,+8888,9223372036854775807"))
	if diff := cmp.Diff([]config.JobRef{{ID: 8888}, {ID: 9223372036854775807}}, s.Jobs); diff != "" || s.Discover() {
		t.Errorf("discovery %v, want false (-want +got):\n%s", s.Discover(), diff)
	}
	s = good(t, with("CAS_ACCOUNTS", "a:acs:ram::1:role/x, b:acs:ram::2:role/y/z", "CAS_JOB_IDS", "a/8888,b/8888,a/8888", "CAS_DISCOVERY", "true"))
	if diff := cmp.Diff([]config.JobRef{{Account: "a", ID: 8888}, {Account: "b", ID: 8888}}, s.Jobs); diff != "" || !s.Discover() {
		t.Errorf("discovery %v, want true (-want +got):\n%s", s.Discover(), diff)
	}
	if diff := cmp.Diff([]config.Account{{"a", "acs:ram::1:role/x", "1"}, {"b", "acs:ram::2:role/y/z", "2"}}, s.Watched); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s = good(t, with("CAS_REGION_ID", "cn-hangzhou,ap-southeast-1", "CAS_JOB_IDS", "ap-southeast-1/8888,cn-hangzhou/8888"))
	if diff := cmp.Diff([]config.JobRef{{Region: "ap-southeast-1", ID: 8888}, {Region: "cn-hangzhou", ID: 8888}}, s.Jobs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s = good(t, with("CAS_REGION_ID", "cn-hangzhou,ap-southeast-1", "CAS_ACCOUNTS", "a:acs:ram::1:role/x", "CAS_JOB_IDS", "a/ap-southeast-1/8888"))
	if diff := cmp.Diff([]config.JobRef{{Account: "a", Region: "ap-southeast-1", ID: 8888}}, s.Jobs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s = good(t, with("CAS_DISCOVERY_NAME_REGEXP", "^prod-|renewal$"))
	for name, want := range map[string]bool{"prod-1": true, "a renewal": true, "preprod-1": false, "renewals": false} {
		if got := s.DiscoveryName.MatchString(name); got != want {
			t.Errorf("^prod-|renewal$ matches %q: got %v, want %v", name, got, want)
		}
	}
}

func TestShardOfAPod(t *testing.T) {
	s := good(t, with("POD_NAME", "exporter-7d9f8-abcde", "CAS_TOTAL_SHARDS", "3"))
	if want := []string{"CAS_SHARD is empty, and neither POD_NAME nor the host name ends with a number: this is shard 0"}; *s.Shard != 0 || !slices.Equal(s.Warnings, want) {
		t.Errorf("got %d and %q, want 0 and %q", *s.Shard, s.Warnings, want)
	}
	if got := *good(t, with("POD_NAME", "cas-exporter-12", "CAS_TOTAL_SHARDS", "20")).Shard; got != 12 {
		t.Errorf("got %d, want the pod's 12", got)
	}
	if got := *good(t, with("POD_NAME", "cas-exporter-12", "CAS_TOTAL_SHARDS", "20", "CAS_SHARD", "3")).Shard; got != 3 {
		t.Errorf("got %d, want the 3 that was set", got)
	}
	if got := *good(t, with("POD_NAME", "cas-exporter-12")).Shard; got != 0 {
		t.Errorf("got %d, want 0 without shards", got)
	}
}

// TestDemoNeedsNothing loads the demo beside settings that mean other accounts.
func TestDemoNeedsNothing(t *testing.T) {
	s := good(t, env{"CAS_ROLE_ARN": "acs:ram::1:role/x", "CAS_ACCOUNTS": "a:acs:ram::1:role/x", "CAS_JOB_IDS": "a/5", "CAS_REGION_ID": "cn-nowhere"}, "--demo")
	s.UseDemo("http://127.0.0.1:1", "id", "secret")
	if diff := cmp.Diff([]config.Account{{}}, s.Watched); diff != "" || s.RoleArn != "" || s.Jobs != nil || !s.Discover() || s.Key.Source != "env" {
		t.Errorf("got role %q, jobs %v, discovery %v, %s; want none but the demo's account %s", s.RoleArn, s.Jobs, s.Discover(), s.Key.Source, diff)
	}
	if *s.PollInterval != config.Duration(10*time.Second) || *s.RequestsPerSecond != 50 {
		t.Errorf("got an interval of %v at %v/s, want 10s at 50", *s.PollInterval, *s.RequestsPerSecond)
	}
	s = good(t, env{"CAS_POLL_INTERVAL": "1m", "CAS_REQUESTS_PER_SECOND": "5"}, "--demo")
	if s.UseDemo("http://127.0.0.1:1", "id", "secret"); *s.PollInterval != config.Duration(time.Minute) || *s.RequestsPerSecond != 5 {
		t.Errorf("got an interval of %v at %v/s, want what the environment says", *s.PollInterval, *s.RequestsPerSecond)
	}
}

// TestOddKeys warns of keys that were copied with more than the key.
func TestOddKeys(t *testing.T) {
	const says = " contains quotes, white space or invisible characters; keys never do"
	for _, name := range []string{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"} {
		for value, odd := range map[string]bool{
			`"CANARY"`: true, "'CANARY'": true, "`CANARY`": true, "CANARY\u200b": true, "\ufeffCANARY": true, "CAN ARY": true, "CAN\u00a0ARY": true,
			"CAN\nARY": true, "\u201cCANARY\u201d": true, "CANARY\u202e": true, "STS.CANARY-_.~+/=": false, " CANARY\n": false,
		} {
			s := good(t, with(name, value))
			if got := slices.Equal(s.Warnings, []string{name + says}); got != odd || strings.Contains(effective(s), "CANARY") {
				t.Errorf("%s=%q: got %q", name, value, s.Warnings)
			}
		}
	}
	if s := good(t, with("CAS_CREDENTIALS", "ecs_ram_role", "ALIBABA_CLOUD_ACCESS_KEY_ID", `"x"`)); len(s.Warnings) > 0 {
		t.Errorf("got %q of a key that is not used", s.Warnings)
	}
}

// TestClearTextURI warns of credentials that travel in clear text.
func TestClearTextURI(t *testing.T) {
	for address, far := range map[string]bool{
		"http://10.0.0.1/x": true, "http://vault.example:8200/?token=CANARY": true, "http://user:CANARY@vault/": true, "http://[fd00::1]/": true, "http://100.100.100.200/": true,
		"https://vault.example/": false, "http://127.0.0.1:1/": false, "http://localhost/x": false, "http://[::1]/": false, "http://169.254.170.2/x": false, "http://[fe80::1]/": false,
		"http://[fe80::1%25eth0]/": false, "http://LocalHost:8080/": false, "http://[fd00::1%25eth0]/": true, "http://169.254.170.2.example/": true,
	} {
		s := good(t, env{"ALIBABA_CLOUD_CREDENTIALS_URI": address})
		want := []string{"ALIBABA_CLOUD_CREDENTIALS_URI is http:// and its host is neither loopback nor link-local: the keys travel in clear text"}
		if got := slices.Equal(s.Warnings, want); got != far || strings.Contains(effective(s), "CANARY") {
			t.Errorf("%s: got %q", address, s.Warnings)
		}
	}
}

// TestSource holds which source is taken, and what is missing of it.
func TestSource(t *testing.T) {
	all := env{
		"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s",
		"CAS_ACCESS_KEY_ID_FILE": "/nowhere/id", "CAS_ACCESS_KEY_SECRET_FILE": "/nowhere/secret",
		"ALIBABA_CLOUD_ROLE_ARN": "arn", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "arn", "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/nowhere/token",
		"ALIBABA_CLOUD_ECS_METADATA": "role", "ALIBABA_CLOUD_CREDENTIALS_URI": "http://127.0.0.1/", "ALIBABA_CLOUD_PROFILE": "x",
	}
	home := func(t *testing.T) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "credentials")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Run("auto takes the first in the order of docs/settings.md", func(t *testing.T) {
		environment := env{"ALIBABA_CLOUD_CREDENTIALS_FILE": home(t)}
		maps.Copy(environment, all)
		var got []string
		for _, step := range [][]string{
			{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"},
			{"CAS_ACCESS_KEY_ID_FILE", "CAS_ACCESS_KEY_SECRET_FILE"},
			{"ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE"},
			{"ALIBABA_CLOUD_ECS_METADATA"},
			{"ALIBABA_CLOUD_CREDENTIALS_URI"},
			{"ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_PROFILE"},
		} {
			got = append(got, good(t, environment).Key.Source)
			for _, name := range step {
				delete(environment, name)
			}
		}
		if diff := cmp.Diff([]string{"env", "file", "oidc", "ecs_ram_role", "uri", "profile"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(got, documented(t)); diff != "" {
			t.Errorf("the table of docs/settings.md (-want +got):\n%s", diff)
		}
	})
	t.Run("the setting picks one", func(t *testing.T) {
		environment := env{"ALIBABA_CLOUD_CREDENTIALS_FILE": home(t)}
		maps.Copy(environment, all)
		for _, source := range documented(t) {
			environment["CAS_CREDENTIALS"] = source
			s := good(t, environment)
			if s.Key.Source != source || !strings.Contains(effective(s), "# credentials come from: "+source+"\n") {
				t.Errorf("got %s, want %s", s.Key.Source, source)
			}
		}
	})
	for _, test := range []struct {
		name string
		env  env
		want string
	}{
		{"half a key", env{"ALIBABA_CLOUD_ACCESS_KEY_ID": "id"}, "ALIBABA_CLOUD_ACCESS_KEY_SECRET: is not set; the source of the credentials (env) requires it"},
		{"the other half", env{"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}, "ALIBABA_CLOUD_ACCESS_KEY_ID: is not set; the source of the credentials (env) requires it"},
		{
			"half a key beside a whole source",
			env{"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ECS_METADATA": "role"},
			"ALIBABA_CLOUD_ACCESS_KEY_SECRET: is not set; the source of the credentials (env) requires it",
		},
		{"one key file", env{"CAS_ACCESS_KEY_SECRET_FILE": "/nowhere"}, "CAS_ACCESS_KEY_ID_FILE: is not set; the source of the credentials (file) requires it"},
		{
			"OIDC without a role",
			env{"ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/nowhere"},
			"ALIBABA_CLOUD_ROLE_ARN: is not set; the source of the credentials (oidc) requires it\nALIBABA_CLOUD_OIDC_PROVIDER_ARN: is not set; the source of the credentials (oidc) requires it",
		},
		{"a picked source that is not there", env{"CAS_CREDENTIALS": "uri"}, "ALIBABA_CLOUD_CREDENTIALS_URI: is not set; the source of the credentials (uri) requires it"},
		{
			"a picked profile that is not there",
			env{"CAS_CREDENTIALS": "profile"},
			"CAS_CREDENTIALS: the credentials come from profile, but neither ~/.aliyun/config.json nor a credentials file exists",
		},
		{"a URI that is none", env{"ALIBABA_CLOUD_CREDENTIALS_URI": "token"}, "ALIBABA_CLOUD_CREDENTIALS_URI: is not an http:// or https:// address"},
		{
			"instance metadata that is forbidden",
			env{"CAS_CREDENTIALS": "ecs_ram_role", "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "True"},
			"CAS_CREDENTIALS: the credentials come from ecs_ram_role, which ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids",
		},
		{"a region that would be another host", with("ALIBABA_CLOUD_STS_REGION", "evil.example/"), "ALIBABA_CLOUD_STS_REGION: is not a region such as cn-hangzhou"},
		{"an STS that is none", with("ALIBABA_CLOUD_STS_ENDPOINT", "https://sts.aliyuncs.com/x"), "ALIBABA_CLOUD_STS_ENDPOINT: must be a scheme and a host only"},
		{
			"an STS in clear text", with("ALIBABA_CLOUD_STS_ENDPOINT", "http://sts.aliyuncs.com"),
			"ALIBABA_CLOUD_STS_ENDPOINT: must be https:// unless the host is a loopback address: the key would travel in clear text",
		},
		{
			"a user at STS", with("ALIBABA_CLOUD_STS_ENDPOINT", "sts.aliyuncs.com@evil.example"),
			"ALIBABA_CLOUD_STS_ENDPOINT: must be a scheme and a host only",
		},
		{
			"white space alone",
			env{"ALIBABA_CLOUD_ACCESS_KEY_ID": " ", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "\n"},
			"ALIBABA_CLOUD_ACCESS_KEY_ID: is not set, and no other source of credentials is configured; --help lists them, --demo needs none",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.env)
			if diff := cmp.Diff(test.want, fmt.Sprint(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if k := good(t, with("ALIBABA_CLOUD_STS_ENDPOINT", "sts-vpc.cn-hangzhou.aliyuncs.com ", "ALIBABA_CLOUD_CONFIG_FILE", "/nowhere/x")).Key; k.STSEndpoint !=
		"https://sts-vpc.cn-hangzhou.aliyuncs.com" || k.CLIConfigFile != "/nowhere/x" || k.Source != "env" {
		t.Errorf("got %s, %s, %s", k.STSEndpoint, k.CLIConfigFile, k.Source)
	}
	if s := good(t, env{"ALIBABA_CLOUD_CONFIG_FILE": "/nowhere/x"}); s.Key.Source != "profile" || !slices.Equal(s.Warnings, []string{"ALIBABA_CLOUD_CONFIG_FILE: the file cannot be read so far: no such file or directory"}) {
		t.Errorf("got %s, %q", s.Key.Source, s.Warnings)
	}
	if s := good(t, env{"CAS_CREDENTIALS": "ecs_ram_role"}); s.Key.Source != "ecs_ram_role" || s.Key.ECSRoleName != "" {
		t.Errorf("got %s of role %q, want ecs_ram_role without a name", s.Key.Source, s.Key.ECSRoleName)
	}
}

// documented returns the sources of the table of docs/settings.md, in its order.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| source |")
	table, _, _ = strings.Cut(table, "\n\n")
	var sources []string
	for line := range strings.Lines(table) {
		if name, found := strings.CutPrefix(line, "| `"); found {
			sources = append(sources, name[:strings.Index(name, "`")])
		}
	}
	return sources
}

// secrets is an environment with a marked text wherever a secret can stand, also
// by mistake.
func secrets() env {
	e := env{}
	for _, name := range []string{
		"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_CREDENTIALS_URI",
		"CAS_ACCESS_KEY_ID_FILE", "CAS_ACCESS_KEY_SECRET_FILE", "CAS_SECURITY_TOKEN_FILE", "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
		"CAS_ROLE_EXTERNAL_ID", "CAS_ACCESS_KEY_SECRET", "CAS_ACCESS_KEY_ID", "HTTPS_PROXY",
	} {
		e[name] = "CANARY"
	}
	e["ALIBABA_CLOUD_CREDENTIALS_URI"] = "http://user:CANARY@127.0.0.1/?token=CANARY"
	e["HTTPS_PROXY"] = "http://user:CANARY@127.0.0.1:1"
	return e
}

// TestSettingsCannotBePrinted formats whole settings in every way.
func TestSettingsCannotBePrinted(t *testing.T) {
	for _, source := range []string{"env", "file", "uri"} {
		e := secrets()
		e["CAS_CREDENTIALS"] = source
		s := good(t, e)
		asJSON, err := json.Marshal(struct {
			config.Key
			config.Secret
			*config.Settings
			DiscoveryName any
		}{Key: s.Key, Secret: s.RoleExternalId, Settings: s})
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		for _, format := range []string{"logfmt", "json"} {
			config.NewLogger(&log, slog.LevelDebug, format).Info("x", "settings", s, "value", *s, "key", s.Key, "secret", s.Key.AccessKeySecret, "file", s.AccessKeyIdFile)
		}
		texts := map[string]string{"--check-config": effective(s), "warnings": fmt.Sprint(s.Warnings), "JSON": string(asJSON), "slog": log.String()}
		for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%x", "%d"} {
			texts[verb] = fmt.Sprintf(strings.Repeat(verb+" ", 5), s, *s, s.Key, s.Key.URI, s.SecurityTokenFile)
		}
		for name, text := range texts {
			if strings.Contains(text, "CANARY") || strings.Contains(text, "43414e415259") {
				t.Errorf("%s: %s shows a secret:\n%s", source, name, text)
			}
		}
		if source == "file" && !strings.Contains(effective(s), "CAS_ACCESS_KEY_ID_FILE=[no such file or directory]\n") {
			t.Errorf("got %s, want that the file does not exist", effective(s))
		}
	}
	help := &strings.Builder{}
	config.WriteHelp(help)
	if n := len(config.Table()); strings.Count(help.String(), "  CAS_") != n {
		t.Errorf("--help does not list %d settings:\n%s", n, help)
	}
}

func TestHelpAndVersionNeedNoSettings(t *testing.T) {
	for _, mode := range []config.Mode{config.Help, config.Version} {
		if s := good(t, env{"CAS_POLL_INTERVAL": "soon"}, "--"+string(mode)); s.Mode != mode {
			t.Errorf("got %q, want %q", s.Mode, mode)
		}
	}
}

// FuzzLoad puts any text into any two variables. It never panics; every fault
// names a variable, in one line; nothing that could be a secret is repeated; and
// what is in force after a good start is a good start again, with the same settings.
func FuzzLoad(f *testing.F) {
	table := config.Table()
	values := []string{"", " ", "1", "0x10", "NaN", "1e999", "-1s", "7d", "true", "a,b", "a/1", "a:acs:ram::1:role/x", "http://[::1]:1", "::", "\xff", "(", "a\nb"}
	for i := range table {
		f.Add(uint8(i), values[i%len(values)], uint8(i+10), "1m")
	}
	f.Fuzz(func(t *testing.T, a uint8, x string, b uint8, y string) {
		if strings.ContainsRune(x+y, 0) || strings.Contains(x+y, "CANARY") {
			t.Skip("no environment holds that")
		}
		environment := secrets()
		environment["CAS_CREDENTIALS"] = []string{"env", "file", "uri"}[int(a)%3]
		environment[table[int(a)%len(table)].Name] = x
		environment[table[int(b)%len(table)].Name] = y
		s, err := load(t, environment)
		var faults *config.Error
		if err != nil && !errors.As(err, &faults) {
			t.Fatalf("got %T, want *config.Error", err)
		}
		if strings.Contains(fmt.Sprint(err, s.Warnings), "CANARY") {
			t.Errorf("a secret is repeated: %v %v", err, s.Warnings)
		}
		if err != nil {
			for _, fault := range faults.Faults {
				known := slices.ContainsFunc(table, func(v config.Variable) bool { return v.Name == fault.Name })
				if !known && !strings.HasPrefix(fault.Name, "ALIBABA_CLOUD_") {
					t.Errorf("%q names no variable", fault)
				}
				if strings.ContainsAny(fault.Problem, "\n\r") {
					t.Errorf("%q has more than one line", fault)
				}
			}
			return
		}
		inForce := effective(s)
		if strings.Contains(inForce, "CANARY") {
			t.Errorf("a secret is shown:\n%s", inForce)
		}
		for line := range strings.Lines(inForce) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			if _, hidden := secrets()[name]; !hidden && strings.HasPrefix(name, "CAS_") && value != "" {
				environment[name] = value
			}
		}
		// Of a default that is now spelled out nothing warns.
		warnings := regexp.MustCompile(`(?m)^# warning: .*\n`)
		settings, again := warnings.ReplaceAllString(inForce, ""), warnings.ReplaceAllString(effective(good(t, environment)), "")
		if again != settings {
			t.Errorf("(-in force +loaded again):\n%s", cmp.Diff(settings, again))
		}
	})
}
