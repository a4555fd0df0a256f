// Package app assembles the program: settings → clients → schedule → collector →
// server. Run is everything that main does; --once, --demo and --healthcheck have
// files of their own.
//
// It holds no rules: the packages that it connects decide what is read, when, and what is
// exported.
package app
