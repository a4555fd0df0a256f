package simulator

import (
	"net/http"
	"net/url"
	"time"
)

// fault is what a call meets.
type fault struct {
	does    string                      // one line
	answer  http.Handler                // answers instead, before anything is verified
	request func(url.Values) url.Values // changes what is asked
	change  func(map[string]any)        // changes the answer
	text    func([]byte) []byte         // changes the answer's text
	zip     bool                        // compresses the answer
}

// refusing answers with an error body.
func refusing(does string, status int, code string, header ...string) fault {
	return fault{does: does, answer: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		refuse(w, refusal{status, code, "Injected: " + does})
	})}
}

// raw answers with a text.
func raw(does string, status int, contentType, text string) fault {
	return fault{does: does, answer: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	})}
}

// handler is a fault that answers by a function.
func handler(does string, answer http.HandlerFunc) fault { return fault{does: does, answer: answer} }

// wait lets time pass; false if the caller left meanwhile.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
