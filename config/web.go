package config

import (
	"errors"
	"io/fs"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/exporter-toolkit/web"
)

func (l *loader) web() {
	if l.Mode != Healthcheck { // the server is asked, not the file: it may be half written
		if err := web.Validate(l.WebConfigFile); err != nil {
			l.fault("CAS_WEB_CONFIG_FILE", "%s", unusable(l.WebConfigFile, err))
		}
	}
	if len(l.WebListenAddress) == 0 {
		l.fault("CAS_WEB_LISTEN_ADDRESS", "names no address")
	}
	for _, address := range l.WebListenAddress {
		_, port, err := net.SplitHostPort(address)
		if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
			l.fault("CAS_WEB_LISTEN_ADDRESS", "%s is not host:port or :port", quote(address))
		}
	}
	l.telemetryPath()
}

func (l *loader) telemetryPath() {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(l.WebTelemetryPath, "/"), "/"); {
	case !regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`).MatchString(l.WebTelemetryPath):
		l.fault("CAS_WEB_TELEMETRY_PATH", "%s is not a path such as /metrics, of letters, digits and . _ -", quote(l.WebTelemetryPath))
	case slices.Contains([]string{"-", "debug", "icon.svg", "jobs", "probe-targets", "runbooks", "style.css"}, first):
		l.fault("CAS_WEB_TELEMETRY_PATH", "%s is the path of another page", quote(l.WebTelemetryPath))
	}
}

// unusable says what is wrong with a web configuration without repeating any of it: a
// password may stand where a path or a number belongs.
func unusable(file string, err error) string {
	if problem, ok := errors.AsType[*fs.PathError](err); ok {
		which := "the file"
		if problem.Path != file {
			which = "the client_ca_file"
		}
		return which + " cannot be read: " + problem.Err.Error()
	}
	// In brackets is a path. The other files' errors end with the cause, behind that path.
	text := regexp.MustCompile(`(?s)^(failed to read \w+) \(.*: `).ReplaceAllString(err.Error(), "$1: ")
	text, _, _ = strings.Cut(text, " (")
	text = regexp.MustCompile("(?s)`.*`").ReplaceAllString(text, "`...`")
	return "is not a valid web configuration: " + strings.Join(strings.Fields(text), " ")
}
