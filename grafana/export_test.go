package grafana

// Built returns the dashboards before they become JSON.
func Built(labels map[string][]string) (all []any, err error) {
	for _, b := range []*board{overview(labels), exporter(labels)} {
		built, err := b.Build()
		if err != nil {
			return nil, err
		}
		all = append(all, built)
	}
	return all, nil
}
