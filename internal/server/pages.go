package server

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
)

//go:embed *.html style.css icon.svg
var assets embed.FS

// pages are what people look at.
type pages struct {
	options   Options
	answers   *answers
	templates *template.Template
	runbooks  http.Handler
	memo      memo

	whole, filtered, job *page
}

func newPages(o Options, a *answers) (*pages, error) {
	templates, err := template.New("").Funcs(functions(o.TelemetryPath)).ParseFS(assets, "*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	var guide, book bytes.Buffer
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	if err := markdown.Convert([]byte(o.Runbooks), &guide); err != nil {
		return nil, fmt.Errorf("read the runbooks: %w", err)
	}
	text := template.HTML(guide.String()) //nolint:gosec // the program's own text
	if err := templates.ExecuteTemplate(&book, "runbooks.html", text); err != nil {
		return nil, fmt.Errorf("render the runbooks: %w", err)
	}
	return &pages{
		options: o, answers: a, templates: templates, runbooks: withJobID(book.Bytes()), memo: memo{take: o.Status},
		whole: newPage("start page", "start.html"), filtered: newPage("start page, filtered", "start.html"), job: newPage("page of a job", "job.html"),
	}, nil
}

// functions returns those that the templates use.
func functions(telemetryPath string) template.FuncMap {
	type head struct{ Title, Root string }
	type shownBanner struct {
		*banner
		At   time.Time
		Root string
	}
	type shownTroubles struct {
		Troubles []trouble
		At       time.Time
		Root     string
	}
	type shownWorkers struct {
		Title        string
		Workers      []worker
		Omitted, All int
		At           time.Time
	}
	return template.FuncMap{
		"class": classOf, "runbook": runbookOf, "count": count,
		"telemetry": func() string { return telemetryPath[1:] },
		"ago":       func(t, at time.Time) string { return ago(at.Sub(t)) },
		"age":       age,
		"utc":       func(at time.Time) string { return at.Format("2006-01-02 15:04:05 UTC") },
		"iso":       func(at time.Time) string { return at.Format(time.RFC3339) },
		"top":       func(title, root string) head { return head{title, root} },
		"banner":    func(b *banner, at time.Time, root string) shownBanner { return shownBanner{b, at, root} },
		"troubles":  func(t []trouble, at time.Time, root string) shownTroubles { return shownTroubles{t, at, root} },
		"named": func(title string, w []worker, omitted int, at time.Time) shownWorkers {
			return shownWorkers{title, w, omitted, omitted + len(w), at}
		},
	}
}

// age says since when there is trouble, or when it begins.
func age(t trouble, at time.Time) string {
	switch {
	case t.Since.IsZero():
		return ""
	case t.Since.After(at) || t.Alert == "AliyunCasCertificateExpires":
		return ago(at.Sub(t.Since))
	default:
		return "for " + span(at.Sub(t.Since))
	}
}

// start serves the start page. A form on it narrows it.
func (p *pages) start(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "form-action 'none'", "form-action 'self'", 1))
	f, as := newFilter(r.URL.Query()), p.whole
	if f != (filter{}) {
		as = p.filtered
	}
	p.serve(w, r, as, fmt.Sprintf("%q", f), func() any { return newOverview(p.memo.get(), f, p.options.Now()) })
}

// page is a page for people and for scripts.
type page struct {
	template   string
	html, json *kind
}

func newPage(name, template string) *page {
	return &page{template, newKind(name), newKind(name + ", JSON")}
}

// serve serves what a model says as a page, or as JSON to those who ask for that. What tells
// models of a page apart.
func (p *pages) serve(w http.ResponseWriter, r *http.Request, as *page, what string, model func() any) {
	w.Header().Set("Vary", "Accept")
	if wantsJSON(r.Header) {
		w.Header().Set("Content-Type", "application/json")
		p.answers.serve(w, r, as.json, what, func(out io.Writer) error { return writeJSON(out, model()) })
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	p.answers.serve(w, r, as.html, what, func(out io.Writer) error { return p.templates.ExecuteTemplate(out, as.template, model()) })
}

// wantsJSON reports whether a client asks for JSON and not for a page, as browsers do.
func wantsJSON(h http.Header) bool {
	accept := strings.Join(h.Values("Accept"), ",")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func writeJSON(out io.Writer, model any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false) // it is no page, and says so
	e.SetIndent("", "  ")
	return e.Encode(model)
}

// showJob serves the page of the job that the address names as CAS_JOB_IDS does.
func (p *pages) showJob(w http.ResponseWriter, r *http.Request) {
	asked := r.PathValue("job")
	root := strings.Repeat("../", strings.Count(r.URL.EscapedPath(), "/")-1)
	account, id := path.Split(asked)
	number, err := strconv.ParseInt(id, 10, 64)
	s := p.memo.get()
	a, j := find(s, account, number)
	if j == nil || err != nil || id != strconv.FormatInt(number, 10) {
		p.missing(w, r, newMissing(s, account, number, root))
		return
	}
	p.serve(w, r, p.job, fmt.Sprintf("%q", []string{asked, root}), func() any {
		d, _ := p.options.Detail(a.Name, a.Region, number) // empty if it has just left
		page := newJobPage(a, j, &d, p.options.Now())
		page.Root, page.Demo = root, s.Demo
		if p.options.Console != nil {
			page.Console = consoleOf(p.options.Console(a.Region), &d, number)
		}
		return page
	})
}

// missing answers for a job that there is not.
func (p *pages) missing(w http.ResponseWriter, r *http.Request, m *missing) {
	var body bytes.Buffer
	contentType, err := "text/html; charset=utf-8", error(nil)
	if wantsJSON(r.Header) {
		contentType, err = "application/json", writeJSON(&body, m)
	} else {
		err = p.templates.ExecuteTemplate(&body, "missing.html", m)
	}
	if err != nil {
		p.options.Logger.Error("answer cannot be rendered", "answer", "missing job", "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Vary", "Accept")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	_, _ = body.WriteTo(w)
}

// exampleJobID stands in the runbooks' calls for the reader's own.
const exampleJobID = "8888"

// withJobID serves a page, with the id of the parameter job_id in place of the
// example, so that calls can be pasted. Anything but digits changes nothing.
func withJobID(page []byte) http.Handler {
	const contentType = "text/html; charset=utf-8"
	asIs := static(contentType, page)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseUint(r.URL.Query().Get("job_id"), 10, 64)
		if err != nil {
			asIs.ServeHTTP(w, r)
			return
		}
		static(contentType, bytes.ReplaceAll(page, []byte(exampleJobID), strconv.AppendUint(nil, id, 10))).ServeHTTP(w, r)
	})
}

// asset serves an embedded file.
func asset(name string) http.Handler {
	text, err := assets.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return static(map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(name)], text)
}

func static(contentType string, text []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "max-age=300")
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text)
	})
}
