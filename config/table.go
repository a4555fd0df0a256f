package config

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
)

// Variable is a row of the table of settings.
type Variable struct{ Name, Default, Meaning string }

// Table returns all variables in the order in which documents list them.
func Table() []Variable {
	var table []Variable
	for _, field := range settingsFields() {
		table = append(table, Variable{variable(field), field.Tag.Get("default"), field.Tag.Get("desc")})
	}
	return table
}

// variable returns the name of a field's variable, as envconfig forms it.
func variable(field reflect.StructField) string {
	var name strings.Builder
	name.WriteString(prefix)
	for i, r := range field.Name {
		if i == 0 || 'A' <= r && r <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(r)
	}
	return strings.ToUpper(name.String())
}

// WriteHelp writes the usage and the table of settings.
func WriteHelp(w io.Writer) {
	_, _ = fmt.Fprint(w, `aliyun_cas_exporter watches the certificate deployment jobs of Alibaba Cloud CAS
and serves what it saw to Prometheus.

Usage: aliyun_cas_exporter [flags]

  --demo                      watch an embedded simulator; needs no credentials
  --once                      poll once, print the aliyun_cas_* metrics, exit 1 if anything failed
  --once.previous=FILE        with --once: take jobs that cannot be read now from FILE, the last output, until that is stale
  --check-config              validate the settings, print what is in force, exit
  --check-api                 call each action of the API that the settings need, print what is refused, exit 1 if anything is
  --healthcheck               exit 0 if the exporter on this host answers, else 1
  --version, --help
  --web.listen-address=ADDR   overrides CAS_WEB_LISTEN_ADDRESS; repeat it for several addresses
  --web.systemd-socket        overrides CAS_WEB_SYSTEMD_SOCKET
  --web.telemetry-path=PATH   overrides CAS_WEB_TELEMETRY_PATH
  --web.config.file=FILE      overrides CAS_WEB_CONFIG_FILE
  --log.level=LEVEL           overrides CAS_LOG_LEVEL
  --log.format=FORMAT         overrides CAS_LOG_FORMAT

Settings are environment variables; all mistakes are reported at once.

`)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range Table() {
		_, _ = fmt.Fprintf(tab, "  %s\t%s\t%s\n", v.Name, v.Default, v.Meaning)
	}
	_ = tab.Flush()
	_, _ = fmt.Fprint(w, `
Credentials are Alibaba Cloud's own variables: ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET,
ALIBABA_CLOUD_SECURITY_TOKEN; ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN,
ALIBABA_CLOUD_OIDC_TOKEN_FILE; ALIBABA_CLOUD_ECS_METADATA; ALIBABA_CLOUD_CREDENTIALS_URI;
ALIBABA_CLOUD_PROFILE, ALIBABA_CLOUD_CONFIG_FILE, ALIBABA_CLOUD_CREDENTIALS_FILE. ALIBABA_CLOUD_STS_REGION and
ALIBABA_CLOUD_STS_ENDPOINT choose the address of STS. ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED=true calls CAS and STS inside a VPC.
HTTPS_PROXY, HTTP_PROXY and NO_PROXY work as in other Go programs; an invalid proxy is an error.

Exit status: 0 success, or stopped by a signal; 1 failure at run time; 2 bad settings.
`)
}

// WriteEffective writes what is in force, one setting a line, without secrets.
func (s *Settings) WriteEffective(w io.Writer) {
	settings := reflect.ValueOf(s).Elem()
	for _, field := range settingsFields() {
		value := settings.FieldByIndex(field.Index)
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		text := fmt.Sprint(value.Interface())
		if level, ok := reflect.TypeAssert[slog.Level](value); ok {
			text = strings.ToLower(level.String())
		}
		_, _ = fmt.Fprintf(w, "%s=%s\n", variable(field), text)
	}
	source := s.Key.Source
	if s.Demo {
		source = "the demo"
	}
	_, _ = fmt.Fprintf(w, "# credentials come from: %s\n", source)
	for _, name := range s.Proxy.from {
		scheme, _, _ := strings.Cut(strings.ToLower(name), "_")
		_, _ = fmt.Fprintf(w, "# requests to %s:// go through the proxy of: %s\n", scheme, name)
	}
	if s.Proxy.NoProxy != "" && len(s.Proxy.from) > 0 {
		_, _ = fmt.Fprintln(w, "# but not to the hosts of NO_PROXY")
	}
	for _, warning := range s.Warnings {
		_, _ = fmt.Fprintf(w, "# warning: %s\n", warning)
	}
}

const prefix = "CAS"

// settingsFields returns the fields of Settings that are variables.
func settingsFields() []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(reflect.TypeFor[Settings]()), func(f reflect.StructField) bool {
		return f.Tag.Get("ignored") != ""
	})
}
