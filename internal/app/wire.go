package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"
	"golang.org/x/net/http/httpproxy"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/config"
	"aliyun_cas_exporter/internal/aliyun/credentials"
	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/simulator"
)

// place is an account in a region, which is watched independently.
type place struct {
	account  config.Account
	region   config.Region
	label    string // the region's where there are several, else empty
	provider *credentials.Provider
}

// placesOf returns each account in each region.
func placesOf(s *config.Settings) ([]place, error) {
	base, err := newProvider(s)
	if err != nil {
		return nil, err
	}
	var places []place
	for _, account := range s.Watched {
		provider := base
		if account.Name != "" {
			provider = base.Assume(role(s, account.RoleARN))
		}
		for _, region := range s.Regions {
			p := place{account: account, region: region, provider: provider}
			if len(s.Regions) > 1 {
				p.label = region.ID
			}
			places = append(places, p)
		}
	}
	return places, nil
}

// logger returns a logger that says what a record is about.
func (p place) logger(log *slog.Logger) *slog.Logger {
	if p.account.Name != "" {
		log = log.With("account", p.account.Name)
	}
	if p.label != "" {
		log = log.With("api_region", p.label)
	}
	return log
}

// newAccounts turns the settings into what is watched.
func newAccounts(s *config.Settings, registry prometheus.Registerer, log *slog.Logger) (schedule.Accounts, error) {
	places, err := placesOf(s)
	if err != nil {
		return nil, err
	}
	var accounts schedule.Accounts
	for _, p := range places {
		accountLog := p.logger(log)
		metrics := collector.NewMetrics(registry, p.account.Name, p.label)
		client, err := newClient(s, p.region, p.provider, loggedMetrics{metrics, requestLog{accountLog}})
		if err != nil {
			return nil, fmt.Errorf("client of account %q in %s: %w", p.account.Name, p.region.ID, err)
		}
		o := options(s)
		o.Name, o.AccountID, o.Region, o.JobIDs = p.account.Name, p.account.ID, p.label, jobsOf(s, p.account.Name, p.label)
		o.API, o.Observer, o.Logger, o.Once = client, metrics, accountLog, s.Mode == config.Once
		if o.Once {
			o.MaxHosts = 0 // nobody can ask for them
		}
		accounts = append(accounts, schedule.New(o))
	}
	return accounts, nil
}

// console returns the address of the console for a region of the API: the sites have one each.
func console(region string) string {
	if region == "ap-southeast-1" {
		return "https://yundun.console.alibabacloud.com"
	}
	return "https://yundun.console.aliyun.com"
}

// rate is that of an account in a region, of this process.
func rate(s *config.Settings) float64 { return *s.RequestsPerSecond / float64(s.TotalShards) }

func newClient(s *config.Settings, region config.Region, provider cas.Provider, observer cas.Observer) (*cas.Client, error) {
	return cas.New(cas.Options{
		Endpoint: region.Endpoint, RegionID: region.ID, Transport: rpc.NewTransport(s.Concurrency, proxy(s)),
		Provider: provider, Observer: observer, RequestTimeout: time.Duration(s.RequestTimeout), RequestsPerSecond: rate(s),
		Concurrency: s.Concurrency, MaxAttempts: s.MaxAttempts, UserAgent: userAgent(),
	})
}

// options are those of every account.
func options(s *config.Settings) schedule.Options {
	return schedule.Options{
		Discovery: discovery(s), Statuses: s.Statuses, Products: s.CloudProducts, Shard: *s.Shard, TotalShards: s.TotalShards,
		PollInterval: time.Duration(*s.PollInterval), ResyncInterval: time.Duration(*s.ResyncInterval),
		MaxStaleness: time.Duration(*s.MaxStaleness), RateLimit: rate(s), PageSize: s.PageSize, Concurrency: s.Concurrency,
		MaxJobs: s.MaxJobs, MaxWorkers: s.MaxWorkersPerJob, MaxGroups: s.MaxGroupsPerJob, MaxNamed: s.FailedWorkerLimit,
		MaxHosts: s.ProbeTargetsPerJob, StuckAfter: time.Duration(s.StuckAfter), ZeroFill: s.ZeroFill,
	}
}

func newProvider(s *config.Settings) (*credentials.Provider, error) {
	return credentials.New(sourceOf(s))
}

// sourceOf returns where credentials come from.
func sourceOf(s *config.Settings) credentials.Options {
	k := s.Key
	return credentials.Options{
		Source:          k.Source,
		Key:             rpc.NewCredentials(string(k.AccessKeyID), string(k.AccessKeySecret), string(k.SecurityToken)),
		AccessKeyIDFile: string(k.AccessKeyIDFile), AccessKeySecretFile: string(k.AccessKeySecretFile), SecurityTokenFile: string(k.SecurityTokenFile),
		OIDCRoleARN: k.OIDCRoleARN, OIDCProviderARN: k.OIDCProviderARN, OIDCTokenFile: string(k.OIDCTokenFile),
		ECSRoleName: k.ECSRoleName, URI: func() string { return string(k.URI) },
		Profile: k.Profile, CLIConfigFile: k.CLIConfigFile, CredentialsFile: k.CredentialsFile,
		Role: role(s, s.RoleArn), SessionName: s.RoleSessionName, STSRegion: k.STSRegion, STSVPC: k.STSVPC, STSEndpoint: k.STSEndpoint,
		Transport: rpc.NewTransport(s.Concurrency, proxy(s)), UserAgent: userAgent(),
	}
}

// proxy returns the proxy for a request as Go's own rules have it.
func proxy(s *config.Settings) func(*http.Request) (*url.URL, error) {
	rules := httpproxy.Config{HTTPSProxy: string(s.Proxy.HTTPS), HTTPProxy: string(s.Proxy.HTTP), NoProxy: s.Proxy.NoProxy}
	find := rules.ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return find(r.URL) }
}

func role(s *config.Settings, arn string) credentials.Role {
	return credentials.Role{ARN: arn, ExternalID: string(s.RoleExternalId)}
}

// userAgent names the program. Without a build's version it is "devel".
func userAgent() string { return name + "/" + cmp.Or(version.Version, "devel") }

func jobsOf(s *config.Settings, account, region string) []int64 {
	var ids []int64
	for _, job := range s.Jobs {
		if job.Account == account && job.Region == region {
			ids = append(ids, job.ID)
		}
	}
	return ids
}

func discovery(s *config.Settings) *schedule.Discovery {
	if !s.Discover() {
		return nil
	}
	return &schedule.Discovery{
		MaxAge: time.Duration(s.DiscoveryMaxAge), JobTypes: s.DiscoveryJobTypes,
		Statuses: s.DiscoveryStatuses, Name: s.DiscoveryName,
	}
}

// startDemo serves the simulator on loopback and points the settings at it. Where hosts are probed, a few are real.
func startDemo(settings *config.Settings, log *slog.Logger) (stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it returns at once
	if err != nil {
		return nil, err
	}
	demo, stopHosts := simulator.Demo(1, time.Now), func() {}
	if settings.ProbeTargetsPerJob > 0 {
		stopHosts = startHosts(demo, log)
	}
	api := &http.Server{Handler: demo, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = api.Serve(listener) }()
	settings.UseDemo("http://"+listener.Addr().String(), simulator.DemoAccessKeyID, simulator.DemoAccessKeySecret)
	log.Warn("demo mode: every number comes from an embedded simulator, none from Alibaba Cloud")
	return func() { _ = api.Close(); stopHosts() }, nil
}

// startHosts starts hosts of the demo that can be probed, with their CA in a file until they stop. Without it there are none.
func startHosts(demo *simulator.Simulator, log *slog.Logger) (stop func()) {
	file, err := os.CreateTemp("", "aliyun_cas_exporter-demo-ca-*.pem")
	if err != nil {
		log.Warn("no host of the demo can be probed", "err", err)
		return func() {}
	}
	remove := func() { _ = os.Remove(file.Name()) }
	closeHosts, err := demo.ServeHosts(file)
	_ = file.Close()
	if err != nil {
		log.Warn("no host of the demo can be probed", "err", err)
		return remove
	}
	log.Info("hosts of the demo can be probed", "job_id", simulator.HostsJobID, "ca", file.Name())
	return func() { closeHosts(); remove() }
}
