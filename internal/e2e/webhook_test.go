//go:build e2e

package e2e_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// notice is an alert as it arrived at the webhook.
type notice struct {
	Status      string            `json:"status"` // firing or resolved
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	arrived     time.Time
}

// webhook receives what Alertmanager sends.
type webhook struct {
	url string

	mu       sync.Mutex
	notices  []notice
	messages []int // the size of each, in bytes
}

func newWebhook(t *testing.T) *webhook {
	t.Helper()
	h := &webhook{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct {
			Alerts []notice `json:"alerts"`
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &message)
		}
		if err != nil {
			t.Errorf("the webhook cannot read a message: %v", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.messages = append(h.messages, len(body))
		for _, n := range message.Alerts {
			n.arrived = time.Now()
			h.notices = append(h.notices, n)
		}
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// matching returns the notices of a status, empty for any, that carry the labels.
func (h *webhook) matching(status string, labels map[string]string) []notice {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []notice
	for _, n := range h.notices {
		if (status == "" || n.Status == status) && contains(n.Labels, labels) {
			found = append(found, n)
		}
	}
	return found
}

func contains(labels, wanted map[string]string) bool {
	for name, value := range wanted {
		if labels[name] != value {
			return false
		}
	}
	return true
}

// firing waits for an alert that carries the labels.
func (h *webhook) firing(t *testing.T, labels map[string]string) notice {
	t.Helper()
	return h.first(t, "firing", labels)
}

// resolved waits for the end of an alert.
func (h *webhook) resolved(t *testing.T, n notice) {
	t.Helper()
	h.first(t, "resolved", n.Labels)
}

func (h *webhook) first(t *testing.T, status string, labels map[string]string) notice {
	t.Helper()
	var found []notice
	await(t, "an alert", func() string {
		if found = h.matching(status, labels); len(found) == 0 {
			return "none is " + status + " with " + text(labels)
		}
		return ""
	})
	return found[0]
}

// names returns the names of all alerts that arrived, sorted.
func (h *webhook) names() []string {
	names := map[string]bool{}
	for _, n := range h.matching("", nil) {
		names[n.Labels["alertname"]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func text(labels map[string]string) string {
	b, _ := json.Marshal(labels)
	return string(b)
}
