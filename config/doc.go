// Package config holds every setting of the program: its name, default, meaning
// and validation. It is the only code that reads the environment, which it does once;
// it never writes it.
//
// Load reports all mistakes at once, each by the name of its variable, and never
// repeats what could be a secret. Settings that Load returned are valid and
// complete: defaults that depend on other settings are filled in.
//
// It does not watch for changes: a changed setting needs a restart. Key files are
// the exception; they are read elsewhere.
package config
