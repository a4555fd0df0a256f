package config

import (
	"fmt"
	"slices"
	"strings"
)

// Error is everything that is wrong with the settings.
type Error struct{ Faults []Fault }

// Fault is one mistake: the variable or flag, and what to change.
type Fault struct{ Name, Problem string }

// Error returns a line for each fault.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Name + ": " + f.Problem
	}
	return strings.Join(lines, "\n")
}

// loader collects the faults of one Load.
type loader struct {
	*Settings
	env    environment
	faults []Fault
	flags  map[string]bool // variables that a flag set
}

func (l *loader) fault(name, format string, args ...any) {
	if flagName := flagOf(name); l.flags[name] {
		name = "--" + flagName
	}
	l.faults = append(l.faults, Fault{name, fmt.Sprintf(format, args...)})
}

func (l *loader) warn(format string, args ...any) {
	l.Warnings = append(l.Warnings, fmt.Sprintf(format, args...))
}

// err returns the faults in the order in which documents list the settings.
func (l *loader) err() error {
	if len(l.faults) == 0 {
		return nil
	}
	table := Table()
	row := func(f Fault) int {
		return slices.IndexFunc(table, func(v Variable) bool { return v.Name == f.Name || "--"+flagOf(v.Name) == f.Name })
	}
	slices.SortStableFunc(l.faults, func(a, b Fault) int { return row(a) - row(b) })
	return &Error{l.faults}
}

func (l *loader) failed(name string) bool {
	return slices.ContainsFunc(l.faults, func(f Fault) bool { return f.Name == name })
}
