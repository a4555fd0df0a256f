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
