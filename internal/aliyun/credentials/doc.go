// Package credentials supplies the keys that calls are signed with: from the
// environment, files, OIDC (RRSA), the metadata of an ECS instance, a URI, or a
// profile, and optionally by assuming a RAM role with them.
//
// What it promises: temporary credentials are refreshed ahead of their end, by
// one request however many wait, and a caller whose context ends leaves at once;
// while a refresh fails, credentials that are still valid are used, expired ones
// never; credentials that the API refused are fetched again, which also heals what
// a wrong clock breaks; rotated files take effect without a restart, and not before
// the whole key has changed. Errors are one line of ours: no file's content, no
// answer, no URL.
//
// The SDK's own providers are not used: they race, block without a context,
// panic on unexpected answers and print what they read.
//
// It refuses to guess: which source is used was decided by the settings.
package credentials
