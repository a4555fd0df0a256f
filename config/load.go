package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const prefix = "CAS"

// Error is everything that is wrong with the settings.
type Error struct{ Faults []Fault }

// Fault is one mistake: the variable or flag, and what to change.
type Fault struct{ Name, Problem string }

// Error returns a line for each fault.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Name + ": " + f.Problem
	}
	return strings.Join(lines, "\n")
}

// loader collects the faults of one Load.
type loader struct {
	*Settings
	env    environment
	faults []Fault
	flags  map[string]bool // variables that a flag set
}

func (l *loader) fault(name, format string, args ...any) {
	if flagName := flagOf(name); l.flags[name] {
		name = "--" + flagName
	}
	l.faults = append(l.faults, Fault{name, fmt.Sprintf(format, args...)})
}

func (l *loader) warn(format string, args ...any) {
	l.Warnings = append(l.Warnings, fmt.Sprintf(format, args...))
}

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

// err returns the faults in the order in which documents list the settings.
func (l *loader) err() error {
	if len(l.faults) == 0 {
		return nil
	}
	table := Table()
	row := func(f Fault) int {
		return slices.IndexFunc(table, func(v Variable) bool { return v.Name == f.Name || "--"+flagOf(v.Name) == f.Name })
	}
	slices.SortStableFunc(l.faults, func(a, b Fault) int { return row(a) - row(b) })
	return &Error{l.faults}
}

// flagOf returns the flag that overrides a variable, empty for none.
func flagOf(variable string) string {
	return map[string]string{
		"CAS_WEB_LISTEN_ADDRESS": "web.listen-address", "CAS_WEB_CONFIG_FILE": "web.config.file",
		"CAS_WEB_TELEMETRY_PATH": "web.telemetry-path", "CAS_WEB_SYSTEMD_SOCKET": "web.systemd-socket",
		"CAS_LOG_LEVEL": "log.level", "CAS_LOG_FORMAT": "log.format",
	}[variable]
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
	// A flag replaces its variable, so what is wrong with the variable is no matter.
	l.faults = slices.DeleteFunc(l.faults, func(f Fault) bool { return l.flags[f.Name] })
}
