package config

import "flag"

// overriding defines the flags that override a variable. Parsing fills the map.
func overriding(flags *flag.FlagSet) map[string]string {
	overrides := map[string]string{}
	for _, v := range Table() {
		name := flagOf(v.Name)
		set := func(value string) error {
			if v.Name == "CAS_WEB_LISTEN_ADDRESS" && overrides[v.Name] != "" {
				value = overrides[v.Name] + "," + value // repeated: one more address
			}
			overrides[v.Name] = value
			return nil
		}
		switch name {
		case "":
		case "web.systemd-socket":
			flags.BoolFunc(name, v.Meaning, set)
		default:
			flags.Func(name, v.Meaning, set)
		}
	}
	return overrides
}

// flagOf returns the flag that overrides a variable, empty for none.
func flagOf(variable string) string {
	return map[string]string{
		"CAS_WEB_LISTEN_ADDRESS": "web.listen-address", "CAS_WEB_CONFIG_FILE": "web.config.file",
		"CAS_WEB_TELEMETRY_PATH": "web.telemetry-path", "CAS_WEB_SYSTEMD_SOCKET": "web.systemd-socket",
		"CAS_LOG_LEVEL": "log.level", "CAS_LOG_FORMAT": "log.format",
	}[variable]
}
