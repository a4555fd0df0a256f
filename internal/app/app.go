package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/version"
	"golang.org/x/sync/errgroup"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/config"
	"aliyun_cas_exporter/docs"
	"aliyun_cas_exporter/internal/server"
)

// Run is the program: it loads the settings from the environment and args, does
// what they ask for until ctx ends, and returns the exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	settings, err := config.Load(args)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitSettings
	}
	switch settings.Mode {
	case config.Help:
		config.WriteHelp(stdout)
		return exitOK
	case config.Version:
		_, _ = fmt.Fprintln(stdout, version.Print(name))
		return exitOK
	case config.Healthcheck:
		return healthcheck(ctx, settings, stderr)
	case config.CheckAPI:
		return checkAPI(ctx, settings, stdout, stderr)
	case config.CheckConfig:
		return checkConfig(settings, stdout, stderr)
	default:
		return work(ctx, settings, stdout, stderr)
	}
}

// work serves, or polls once.
func work(ctx context.Context, settings *config.Settings, stdout, stderr io.Writer) int {
	log := config.NewLogger(stderr, settings.LogLevel, settings.LogFormat)
	for _, warning := range settings.Warnings {
		log.Warn("configuration warning", "warning", warning)
	}
	if err := watch(ctx, settings, log, stdout); err != nil {
		log.Error("exporter failed", "err", err)
		return exitFailed
	}
	return exitOK
}

// watch builds the exporter and runs it until ctx ends, or for one poll.
func watch(ctx context.Context, settings *config.Settings, log *slog.Logger, stdout io.Writer) error {
	if settings.Demo {
		stop, err := startDemo(settings, log)
		if err != nil {
			return fmt.Errorf("start the demo: %w", err)
		}
		defer stop()
	}
	registry := prometheus.NewRegistry()
	accounts, err := newAccounts(settings, registry, log)
	if err != nil {
		return err
	}
	collector.RegisterProcess(registry, *settings.Shard, settings.TotalShards, settings.Demo)
	registry.MustRegister(versioncollector.NewCollector(name))
	if settings.Mode == config.Once {
		return once(ctx, settings, accounts, registry, stdout)
	}
	facts := collector.New(accounts)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	web, err := server.New(server.Options{
		ListenAddresses: settings.WebListenAddress, SystemdSocket: settings.WebSystemdSocket,
		TelemetryPath: settings.WebTelemetryPath, WebConfigFile: settings.WebConfigFile, EnablePprof: settings.WebEnablePprof,
		Registerer: registry, Gatherer: registry, Facts: facts, ProbeTargets: facts.WriteProbeTargets, Ready: accounts.Ready,
		Status: func() server.Status {
			return server.Status{Version: version.Version, Demo: settings.Demo, Accounts: facts.States()}
		},
		Detail: facts.Detail, Console: func(region string) string { return console(cmp.Or(region, settings.Regions[0].ID)) },
		Runbooks: docs.Runbooks, Logger: log,
	})
	if err != nil {
		return err
	}
	log.Info("exporter started", "version", version.Version, "revision", version.Revision, "credentials", settings.Key.Source)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return web.Run(ctx) })
	group.Go(func() error { accounts.Run(ctx); return nil })
	if err = group.Wait(); err != nil {
		return err
	}
	log.Info("exporter stopped")
	return nil
}
