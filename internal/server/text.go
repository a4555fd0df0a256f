package server

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// name makes a foreign name safe to look at and short.
func name(s string) string { return cmp.Or(visible(s, 100), "(invisible)") }

// maybe does the same for a name that may be missing.
func maybe(s string) string {
	if s == "" {
		return ""
	}
	return name(s)
}

// line does the same for a foreign line of text.
func line(s string) string { return visible(s, 400) }

// visible drops what cannot be seen and what turns the direction of writing, and
// cuts after so many characters.
func visible(s string, most int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most-1]) + "…"
	}
	return s
}

// span writes a duration in one unit.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// ago writes how long ago something was, or in what time it will be.
func ago(d time.Duration) string {
	switch {
	case d <= -time.Second:
		return "in " + span(-d)
	case d < time.Second/2:
		return "now"
	default:
		return span(max(d, time.Second)) + " ago"
	}
}

// count writes a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
