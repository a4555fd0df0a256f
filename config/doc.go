// Package config holds every setting of the program: its name, default, meaning
// and validation. It is the only code that reads the environment, which it does once;
// it never writes it.
//
// Load reports all mistakes at once, each by the name of its variable, and never
// repeats what could be a secret. Settings that Load returned are valid and
// complete: what one variable leaves to another is worked out.
//
// It refuses to watch for changes: a changed setting takes a restart. Key files
// are the exception, and not read here.
package config
