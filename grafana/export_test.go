package grafana

// Promised hands out to tests which families are not exported yet.
func Promised() map[string][]string { return promised() }
