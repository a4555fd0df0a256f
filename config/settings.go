package config

import (
	"log/slog"
	"regexp"
)

// Mode is what the program was asked to do.
type Mode string

// The modes, by their flag; Serve has none.
const (
	Serve       Mode = ""
	Once        Mode = "once"
	CheckConfig Mode = "check-config"
	CheckAPI    Mode = "check-api"
	Healthcheck Mode = "healthcheck"
	Version     Mode = "version"
	Help        Mode = "help"
)

// Settings are the program's settings. envconfig fills the first part: the name
// of a variable is the field's in capitals behind CAS_, and the tags hold its
// default and meaning. A default of a pointer depends on other settings; none is
// nil after Load. Load fills the rest.
type Settings struct {
	JobIds              List       `split_words:"true" desc:"comma-separated job ids to watch; with CAS_ACCOUNTS as name/8888, with several regions as region/8888, with both as name/region/8888"`
	Discovery           *bool      `split_words:"true" desc:"list the jobs of the account; by default only when CAS_JOB_IDS is empty; with both, the union is watched"`
	DiscoveryMaxAge     Duration   `split_words:"true" default:"720h" desc:"ignore finished jobs that were not modified for this long; 0: no limit"`
	DiscoveryJobTypes   List       `split_words:"true" desc:"list only jobs of these types: user, cloud, trustee"`
	DiscoveryStatuses   List       `split_words:"true" desc:"list only jobs in these statuses"`
	DiscoveryNameRegexp string     `split_words:"true" desc:"watch only jobs whose name matches this unanchored regular expression"`
	Statuses            List       `split_words:"true" desc:"watch only workers in these statuses; fewer pages are read"`
	CloudProducts       List       `split_words:"true" desc:"watch only workers of these products; fewer pages are read"`
	RegionId            List       `split_words:"true" default:"cn-hangzhou" desc:"region of the API, not of the workers: cn-hangzhou or, on the international site, ap-southeast-1"`
	Endpoint            List       `split_words:"true" desc:"URL or host of the API, one for each region; by region if empty; http:// only for a loopback host"`
	PollInterval        *Duration  `split_words:"true" default:"1m" desc:"time between two polls of a job that moves, and between two listings"`
	ResyncInterval      *Duration  `split_words:"true" default:"1h" desc:"read a finished job again after this long although its record did not change; by default at least a poll interval"`
	MaxStaleness        *Duration  `split_words:"true" desc:"stop exporting counts that were not confirmed for this long; by default three poll intervals, at least 10m"`
	RequestTimeout      Duration   `split_words:"true" default:"15s" desc:"timeout of one HTTP request"`
	RequestsPerSecond   *float64   `split_words:"true" default:"5" desc:"rate limit of requests to an account in a region; fractions allowed; the API takes 10 of each action from all its clients together"`
	Concurrency         int        `split_words:"true" default:"4" desc:"maximum number of requests in flight to an account in a region"`
	MaxAttempts         int        `split_words:"true" default:"4" desc:"maximum number of HTTP requests for one call, repetitions included"`
	PageSize            int        `split_words:"true" default:"50" desc:"rows to ask for in a page; the API's maximum is not documented"`
	MaxWorkersPerJob    int        `split_words:"true" default:"200000" desc:"maximum number of workers of a job; larger jobs fail with reason limit"`
	MaxGroupsPerJob     int        `split_words:"true" default:"2000" desc:"maximum number of (product, region, status) groups of a job; larger jobs fail with reason limit"`
	MaxJobs             int        `split_words:"true" default:"100000" desc:"maximum number of jobs of a listing; a longer one fails with reason limit"`
	FailedWorkerLimit   int        `split_words:"true" default:"100" desc:"maximum number of failed workers of a job, and of stuck ones, with a series each; 0: none"`
	StuckAfter          Duration   `split_words:"true" default:"15m" desc:"name a worker that has not moved for this long"`
	ProbeTargetsPerJob  int        `split_words:"true" default:"0" desc:"maximum number of hosts of a job at /probe-targets, for a prober that checks what they serve; 0: none"`
	ZeroFill            bool       `split_words:"true" default:"true" desc:"export documented statuses without workers as 0"`
	Credentials         string     `split_words:"true" default:"auto" desc:"auto, env, file, oidc, ecs_ram_role, uri or profile; auto takes the first of them that is configured"`
	AccessKeyIdFile     File       `split_words:"true" desc:"file with the access key id; read again when it changes"`
	AccessKeySecretFile File       `split_words:"true" desc:"file with the access key secret; read again when it changes"`
	SecurityTokenFile   File       `split_words:"true" desc:"file with the security token, if there is one; read again when it changes"`
	RoleArn             string     `split_words:"true" desc:"assume this RAM role with the credentials above"`
	RoleExternalId      Secret     `split_words:"true" desc:"external id for the role, and for those of CAS_ACCOUNTS"`
	RoleSessionName     string     `split_words:"true" default:"aliyun_cas_exporter" desc:"session name for the role, and for those of CAS_ACCOUNTS"`
	Accounts            List       `split_words:"true" desc:"name:role-arn,...: watch these accounts by assuming these roles"`
	Shard               *int       `split_words:"true" default:"0" desc:"watch only the jobs of this shard; by default the number at the end of POD_NAME or of the host name, if there is one"`
	TotalShards         int        `split_words:"true" default:"1" desc:"number of shards"`
	WebListenAddress    List       `split_words:"true" default:":10077" desc:"comma-separated addresses to serve on"`
	WebSystemdSocket    bool       `split_words:"true" default:"false" desc:"serve on the sockets that systemd passes, instead of the addresses"`
	WebTelemetryPath    string     `split_words:"true" default:"/metrics" desc:"path of the metrics"`
	WebConfigFile       string     `split_words:"true" desc:"exporter-toolkit's file for TLS, client certificates and basic auth"`
	WebEnablePprof      bool       `split_words:"true" default:"false" desc:"serve /debug/pprof"`
	LogLevel            slog.Level `split_words:"true" default:"info" desc:"debug, info, warn or error"`
	LogFormat           string     `split_words:"true" default:"logfmt" desc:"logfmt or json"`

	Mode     Mode     `ignored:"true"`
	Demo     bool     `ignored:"true"`
	Previous string   `ignored:"true"` // file with the output of the last --once; empty: none
	Warnings []string `ignored:"true"` // harmless, and worth a look

	Jobs          []JobRef       `ignored:"true"` // of JobIds
	DiscoveryName *regexp.Regexp `ignored:"true"` // of DiscoveryNameRegexp; nil: any
	Watched       []Account      `ignored:"true"` // of Accounts; one unnamed account if empty
	Regions       []Region       `ignored:"true"` // of RegionId and Endpoint; at least one
	Key           Key            `ignored:"true"` // where credentials come from
	Proxy         Proxy          `ignored:"true"` // how requests leave
}

// JobRef names a job. Account is empty for the unnamed account, Region where there is
// one region.
type JobRef struct {
	Account, Region string
	ID              int64
}

// Account is an account that is watched by assuming a role.
type Account struct{ Name, RoleARN, ID string }

// Discover reports whether jobs are listed.
func (s *Settings) Discover() bool { return *s.Discovery }

// UseDemo points the settings at a simulator with its own key and jobs: no account,
// role or job of the environment is known there.
func (s *Settings) UseDemo(endpoint, keyID, keySecret string) {
	s.Endpoint, s.Regions = List{endpoint}, []Region{{"cn-hangzhou", endpoint}}
	s.RoleArn, s.Watched, s.Jobs = "", []Account{{}}, nil
	s.Key = Key{Source: "env", AccessKeyID: Secret(keyID), AccessKeySecret: Secret(keySecret)}
}

// Region is a region of the API, and the address that serves it: a scheme and a host.
type Region struct{ ID, Endpoint string }

// Key says where credentials come from, and carries what that source needs.
type Key struct {
	// Source is env, file, oidc, ecs_ram_role, uri or profile.
	Source string

	AccessKeyID, AccessKeySecret, SecurityToken             Secret // of env
	AccessKeyIDFile, AccessKeySecretFile, SecurityTokenFile File   // of file
	OIDCRoleARN, OIDCProviderARN                            string // of oidc
	OIDCTokenFile                                           File   // of oidc
	ECSRoleName                                             string // of ecs_ram_role; empty: asked for
	URI                                                     Secret // of uri; it can hold a token
	Profile, CLIConfigFile, CredentialsFile                 string // of profile
	configFile                                              bool   // the environment names CLIConfigFile

	STSRegion   string // of STS; empty: the address for all regions
	STSVPC      bool   // call STS by its address inside a VPC
	STSEndpoint string // address of STS instead, if not empty
}

// Proxy says through which proxies requests go. The addresses can hold passwords.
type Proxy struct {
	HTTPS, HTTP Secret // for https:// and http:// addresses; empty: none
	NoProxy     string // hosts that are asked directly, as Go reads NO_PROXY

	from []string // the variables of the addresses
}
