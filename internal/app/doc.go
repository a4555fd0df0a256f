// Package app assembles the program: settings → clients → schedule → collector →
// server. Run is everything that main does; --once, --demo and --healthcheck have
// files of their own.
//
// It refuses to hold any rule: what is read, when, and what is exported is decided
// in the packages that it connects.
package app
