package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sync/errgroup"
)

const (
	// writeTimeout cuts off clients that do not read; Prometheus gives up sooner.
	writeTimeout = 30 * time.Second
	// goodbye is the time that a scrape may still take after the signal to stop.
	goodbye = 500 * time.Millisecond
)

// Server serves one exporter.
type Server struct {
	options     Options
	http        *http.Server
	connections *connections
	answers     *answers
}

// New returns a Server that listens nowhere yet, or an error when a page cannot
// be built or the web configuration is not valid.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	answers := newAnswers(o.Logger)
	pages, err := newPages(o, answers)
	if err != nil {
		return nil, err
	}
	access, err := newAccess(o.WebConfigFile, o.Logger)
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: o, answers: answers,
		connections: &connections{patience: patience, open: map[*connection]struct{}{}},
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+o.TelemetryPath, newScrapes(o, s.answers))
	mux.HandleFunc("GET /{$}", pages.start)
	mux.HandleFunc("GET /jobs/{job...}", pages.showJob)
	targets := newKind("probe targets")
	targets.tagged = true
	mux.HandleFunc("GET /probe-targets", func(w http.ResponseWriter, r *http.Request) {
		if !o.Ready() { // after an error Prometheus keeps the targets that it had
			http.Error(w, "the first poll has not ended", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		s.answers.serve(w, r, targets, "", o.ProbeTargets)
	})
	mux.Handle("GET /runbooks", pages.runbooks)
	for _, name := range []string{"style.css", "icon.svg"} {
		mux.Handle("GET /"+name, asset(name))
	}
	if o.EnablePprof {
		profiles(mux)
	}
	s.http = &http.Server{
		Handler:           watched(secured(health(o.Ready, access.protect(mux)))),
		TLSConfig:         access.tls(),
		Protocols:         &http.Protocols{},
		ConnContext:       connContext,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		// It would answer "OPTIONS *" without our handlers.
		DisableGeneralOptionsHandler: true,

		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug), // clients' faults, not ours
	}
	s.http.Protocols.SetHTTP1(true) // Prometheus needs no more
	return s, nil
}

// health serves the health and readiness of the process. They are no secret, so clients
// need no password, and do not wait for the check of others' passwords.
func health(ready func() bool, next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", text(func() (int, string) { return http.StatusOK, "healthy\n" }))
	mux.HandleFunc("GET /-/ready", text(func() (int, string) {
		if !ready() {
			return http.StatusServiceUnavailable, "the first poll has not ended\n"
		}
		return http.StatusOK, "ready\n"
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/-/") {
			mux.ServeHTTP(w, r)
		} else {
			next.ServeHTTP(w, r)
		}
	})
}

// Handler returns what is served.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Run listens and serves until ctx ends; then it returns nil.
func (s *Server) Run(ctx context.Context) error {
	listeners, err := s.listen(ctx)
	if err != nil {
		for _, l := range listeners {
			_ = l.Close()
		}
		return err
	}
	return s.serve(ctx, listeners...)
}

// listen returns the sockets that systemd passes, or those of the addresses. Those
// before an error are open.
func (s *Server) listen(ctx context.Context) (listeners []net.Listener, err error) {
	if s.options.SystemdSocket {
		listeners, err = activation.Listeners()
		if err == nil && len(listeners) == 0 {
			err = errors.New("systemd passed no socket")
		}
		return listeners, err
	}
	for _, address := range s.options.ListenAddresses {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			return listeners, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func (s *Server) serve(ctx context.Context, listeners ...net.Listener) error {
	group, failed := errgroup.WithContext(ctx)
	for _, l := range listeners {
		s.options.Logger.Info("listening on", "address", l.Addr().String(), "tls", s.http.TLSConfig != nil)
		group.Go(func() error {
			l := listener{l, s.connections}
			if s.http.TLSConfig != nil {
				return s.http.ServeTLS(l, "", "")
			}
			return s.http.Serve(l)
		})
	}
	<-failed.Done() // one of them, or ctx ended
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if s.http.Shutdown(end) != nil {
		_ = s.http.Close()
	}
	if err := group.Wait(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// secured sets the headers of every answer.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func text(answer func() (int, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status, body := answer()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// profiles serves net/http/pprof, which itself extends the time for an answer.
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}
