package server

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"

	"aliyun_cas_exporter/collector"
)

//go:embed start.html runbooks.html style.css icon.svg
var assets embed.FS

// pages are what people look at.
type pages struct {
	options   Options
	templates *template.Template
	runbooks  http.Handler
}

func newPages(o Options) (*pages, error) {
	templates, err := template.New("").Funcs(template.FuncMap{
		"name": name, "line": line, "advice": advice, "runbook": runbook, "class": classOf, "bar": bar, "shown": func(j collector.JobState) []collector.StatusCount { return shown(&j) },
		"telemetry": func() string { return o.TelemetryPath[1:] },
		"ago":       func(at time.Time) string { return ago(o.Now().Sub(at)) },
		"utc":       func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") },
		"iso":       func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
	}).ParseFS(assets, "*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	var guide, page bytes.Buffer
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	if err := markdown.Convert([]byte(o.Runbooks), &guide); err != nil {
		return nil, fmt.Errorf("read the runbooks: %w", err)
	}
	text := template.HTML(guide.String()) //nolint:gosec // the program's own text
	if err := templates.ExecuteTemplate(&page, "runbooks.html", text); err != nil {
		return nil, fmt.Errorf("render the runbooks: %w", err)
	}
	return &pages{options: o, templates: templates, runbooks: withJobID(page.Bytes())}, nil
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

// start writes the start page.
func (p *pages) start(out io.Writer) error {
	return p.templates.ExecuteTemplate(out, "start.html", newOverview(p.options.Status(), p.options.Now()))
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

// ago writes how long ago something was, in one unit.
func ago(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// segment is a part of a bar, in hundredths of its length.
type segment struct {
	Class    string
	X, Width string
}

// bar divides a job's workers by status. A status with any worker can be seen.
func bar(j collector.JobState) []segment {
	const least = 1.5
	counts := shown(&j)
	scale := (100 - least*float64(len(counts))) / float64(max(1, j.Total()))
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }
	var segments []segment
	x := 0.0
	for _, c := range counts {
		width := least + float64(c.N)*scale
		segments = append(segments, segment{classOf(c.Status), number(x), number(width)})
		x += width
	}
	return segments
}
