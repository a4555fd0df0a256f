package config

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strconv"
)

// Load reads flags (without the program's name) and, once, the environment. Its
// error is an *Error.
func Load(args []string) (*Settings, error) {
	l := &loader{Settings: &Settings{}, env: readEnvironment(), flags: map[string]bool{}}
	overrides := l.parse(args)
	if l.Mode == Help || l.Mode == Version {
		return l.Settings, l.err()
	}
	l.variables()
	l.override(overrides)
	l.unknown()
	l.validate()
	slices.Sort(l.Warnings)
	return l.Settings, l.err()
}

// parse reads the flags and returns those that override a variable, by its name.
func (l *loader) parse(args []string) map[string]string {
	flags := flag.NewFlagSet("aliyun_cas_exporter", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	overrides := overriding(flags)
	flags.BoolVar(&l.Demo, "demo", false, "")
	flags.StringVar(&l.Previous, "once.previous", "", "")
	modes := []Mode{Once, CheckConfig, CheckAPI, Healthcheck, Version}
	chosen := make([]bool, len(modes))
	for i, mode := range modes {
		flags.BoolVar(&chosen[i], string(mode), false, "")
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		l.Mode = Help
		return nil
	case err != nil:
		l.fault("command line", "%v; see --help", err)
	case flags.NArg() > 0:
		// It is not repeated: it could be a key.
		l.fault("command line", "takes flags only; see --help")
	}
	for i, mode := range modes {
		if chosen[i] && l.Mode != Serve {
			l.fault("command line", "--%s and --%s exclude each other", l.Mode, mode)
		}
		if chosen[i] {
			l.Mode = mode
		}
	}
	if l.Previous != "" && l.Mode != Once {
		l.fault("command line", "--once.previous requires --once")
	}
	return overrides
}

func (l *loader) override(overrides map[string]string) {
	for name, value := range overrides {
		l.flags[name] = true
		switch name {
		case "CAS_WEB_LISTEN_ADDRESS":
			_ = l.WebListenAddress.Decode(value)
		case "CAS_WEB_TELEMETRY_PATH":
			l.WebTelemetryPath = value
		case "CAS_WEB_SYSTEMD_SOCKET":
			var err error
			if l.WebSystemdSocket, err = strconv.ParseBool(value); err != nil {
				l.fault(name, "%s is not true or false", quote(value))
			}
		case "CAS_WEB_CONFIG_FILE":
			l.WebConfigFile = value
		case "CAS_LOG_FORMAT":
			l.LogFormat = value
		case "CAS_LOG_LEVEL":
			if l.LogLevel.UnmarshalText([]byte(value)) != nil {
				l.fault(name, "%s is not debug, info, warn or error", quote(value))
			}
		}
	}
	// A flag replaces its variable, so a mistake in the variable does not matter.
	l.faults = slices.DeleteFunc(l.faults, func(f Fault) bool { return l.flags[f.Name] })
}
