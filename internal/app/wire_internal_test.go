package app

import (
	"reflect"
	"regexp"
	"testing"
	"time"

	"aliyun_cas_exporter/config"
)

// TestEverySettingIsWired fills all settings and looks for options that are still zero.
func TestEverySettingIsWired(t *testing.T) {
	hour, rate, one, yes := config.Duration(time.Hour), 5.0, 1, true
	s := &config.Settings{
		Discovery: &yes, DiscoveryMaxAge: hour, DiscoveryJobTypes: config.List{"user"}, DiscoveryStatuses: config.List{"success"},
		DiscoveryName: regexp.MustCompile("x"), Statuses: config.List{"error"}, CloudProducts: config.List{"SLB"},
		PollInterval: &hour, ResyncInterval: &hour, MaxStaleness: &hour, RequestsPerSecond: &rate, Concurrency: 1, PageSize: 1,
		MaxJobs: 1, MaxWorkersPerJob: 1, MaxGroupsPerJob: 1, FailedWorkerLimit: 1, ProbeTargetsPerJob: 1, StuckAfter: hour, ZeroFill: true, Shard: &one, TotalShards: 2,
	}
	o := options(s)
	// These are of each account in each region.
	own := map[string]bool{"Name": true, "Region": true, "AccountID": true, "API": true, "Observer": true, "Logger": true, "JobIDs": true, "Once": true}
	for _, of := range []reflect.Value{reflect.ValueOf(o), reflect.ValueOf(*o.Discovery)} {
		for i := range of.NumField() {
			if name := of.Type().Field(i).Name; !own[name] && of.Field(i).IsZero() {
				t.Errorf("%s of %s is not set from the settings", name, of.Type())
			}
		}
	}
}

// TestEachSiteHasItsConsole holds where the pages of a region lead to.
func TestEachSiteHasItsConsole(t *testing.T) {
	for region, want := range map[string]string{"cn-hangzhou": "console.aliyun.com", "ap-southeast-1": "console.alibabacloud.com"} {
		if got := console(region); got != "https://yundun."+want {
			t.Errorf("%s: got %s, want that at %s", region, got, want)
		}
	}
}
