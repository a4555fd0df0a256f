package grafana

import "fmt"

// All returns the dashboards as JSON by file name. labels holds the exporter's
// families with their labels.
func All(labels map[string][]string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, b := range []*board{overview(labels), exporter(labels)} {
		text, err := b.json()
		if err != nil {
			return nil, fmt.Errorf("build dashboard %s: %w", b.uid, err)
		}
		files[b.uid+".json"] = text
	}
	return files, nil
}
