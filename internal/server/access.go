package server

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"
)

// maxChecks is the number of clients that may wait for a check of their password. Others
// get status 429.
const maxChecks = 8

var errAccess = errors.New("the web configuration is not valid; --check-config says why")

// access is exporter-toolkit's web configuration, read again at each request. The
// toolkit's own server forgets that there was a password when its file is emptied, and
// lets any number of clients wait behind a slow check.
type access struct {
	path    string // empty: everybody has access
	log     *slog.Logger
	limiter *rate.Limiter // nil: none
	valid   *web.Config   // the last valid one
	checks  chan struct{} // who waits for the check of a password
	one     sync.Mutex    // of the password that is checked

	mu     sync.Mutex
	text   []byte // of the file when it was last read
	config *web.Config
	err    error
	passed map[string][sha256.Size]byte // the last good password of each user, with its hash
}

func newAccess(path string, log *slog.Logger) (*access, error) {
	a := &access{path: path, log: log, checks: make(chan struct{}, maxChecks), passed: map[string][sha256.Size]byte{}}
	if path == "" {
		return a, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the settings name it
	if err == nil {
		a.text = text
		a.config, err = a.parse(text)
	}
	if err != nil {
		return nil, errAccess // the cause can show a password
	}
	a.valid = a.config
	if limit := a.valid.RateLimiterConfig; limit.Interval != 0 {
		a.limiter = rate.NewLimiter(rate.Every(limit.Interval), limit.Burst)
	}
	return a, nil
}

// parse reads a configuration. Without the authentication that it once required it is an
// error: the file may just be being written.
func (a *access) parse(text []byte) (*web.Config, error) {
	c := &web.Config{TLSConfig: web.TLSConfig{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}}
	if err := yaml.UnmarshalStrict(text, c); err != nil {
		return nil, err
	}
	c.TLSConfig.SetDirectory(filepath.Dir(a.path))
	if f := a.valid; f != nil && (len(f.Users) > 0 && len(c.Users) == 0 ||
		f.TLSConfig.IsEnabled() != c.TLSConfig.IsEnabled() || f.TLSConfig.ClientAuth != c.TLSConfig.ClientAuth ||
		len(f.TLSConfig.ClientAllowedSans) > 0 && len(c.TLSConfig.ClientAllowedSans) == 0) {
		return nil, errAccess
	}
	return c, web.Validate(a.path)
}

// current returns the configuration as the file has it.
func (a *access) current() (*web.Config, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text, err := os.ReadFile(a.path)
	if err == nil && a.err == nil && bytes.Equal(text, a.text) {
		return a.config, nil
	}
	var config *web.Config
	if err == nil {
		config, err = a.parse(text)
	}
	if err == nil {
		a.valid = config
	}
	switch {
	case err != nil && a.err == nil:
		a.log.Error("the web configuration is not valid: every request is refused until it is", "path", a.path)
	case err == nil && a.err != nil:
		a.log.Info("the web configuration is valid again", "path", a.path)
	}
	a.text, a.config, a.err = text, config, err
	return config, err
}

// tls returns the configuration of TLS, nil for none. Certificates and the rest are read
// again for each connection.
func (a *access) tls() *tls.Config {
	if a.path == "" || !a.valid.TLSConfig.IsEnabled() {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := a.current()
		if err != nil {
			return nil, errAccess
		}
		config, err := web.ConfigToTLSConfig(&c.TLSConfig)
		if err != nil {
			return nil, errAccess
		}
		config.NextProtos = []string{"http/1.1"}
		return config, nil
	}}
}

// protect lets only requests through that the configuration allows.
func (a *access) protect(next http.Handler) http.Handler {
	if a.path == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := a.current()
		if err != nil {
			refuse(w, http.StatusInternalServerError)
			return
		}
		if a.limiter != nil && !a.limiter.Allow() {
			refuse(w, http.StatusTooManyRequests)
			return
		}
		for name, value := range c.HTTPConfig.Header {
			w.Header().Set(name, value)
		}
		if status := a.check(c, r); status != http.StatusOK {
			refuse(w, status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, status int) {
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Basic")
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, http.StatusText(status), status)
}

// check checks the password of a request. A password that was right before is accepted
// without waiting, so that clients with wrong ones do not keep others out.
func (a *access) check(c *web.Config, r *http.Request) (status int) {
	if len(c.Users) == 0 {
		return http.StatusOK
	}
	user, password, ok := r.BasicAuth()
	if !ok {
		return http.StatusUnauthorized
	}
	hash, known := c.Users[user]
	digest := sha256.Sum256([]byte(string(hash) + password)) // hashes have one length
	if known && a.hasPassed(user, digest) {
		return http.StatusOK
	}
	select {
	case a.checks <- struct{}{}:
		defer func() { <-a.checks }()
	default:
		return http.StatusTooManyRequests
	}
	a.one.Lock()
	defer a.one.Unlock()
	for _, other := range c.Users {
		if !known {
			hash = other // an answer's time must not tell who is known
		}
	}
	switch {
	case known && a.hasPassed(user, digest):
	case bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) != nil || !known:
		return http.StatusUnauthorized
	}
	a.mu.Lock()
	a.passed[user] = digest
	a.mu.Unlock()
	return http.StatusOK
}

func (a *access) hasPassed(user string, digest [sha256.Size]byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, ok := a.passed[user]
	return ok && subtle.ConstantTimeCompare(last[:], digest[:]) == 1
}
