// Package credentials supplies the keys that calls are signed with: from the
// environment, files, OIDC (RRSA), the metadata of an ECS instance, a URI, or a
// profile, and optionally by assuming a RAM role with them.
//
// What it promises:
//
//   - Temporary credentials are refreshed before they expire, by one request for all
//     who wait. A caller whose context ends leaves at once.
//   - While a refresh fails, credentials that are still valid are used; expired ones
//     never are.
//   - Credentials that the API refused are fetched again.
//   - Rotated files take effect without a restart, once the whole key has changed.
//   - Errors are one line of ours, without the content of a file, an answer or a URL.
//
// Why these are ours. aliyun/credentials-go 1.4.14 and the providers of the SDK were
// tried against the tests of this package:
//
//   - 4 of 4 refreshing providers (OIDC, ECS, URI, role) have data races with 8
//     goroutines; none takes a context.
//   - Errors hold a whole key when a URI's answer lacks its Expiration, the URI with
//     its token, and the whole file of profiles when it is not valid JSON.
//   - They fall back to version 1 of the instance metadata, which answers whoever can
//     make the host send a GET, and follow redirects with the token as Referer.
//   - They panic on an answer without Expiration or Code, and overflow the stack on a
//     circle of chained roles.
//   - An answer of 200 MiB makes them allocate 411 MiB; here it is 1 MiB.
//
// The change would save 406 lines and cost 217 KB of binary and 2 modules.
//
// It does not choose the source: the settings do. It starts no program and opens no
// browser, so CloudSSO, OAuth and External are not supported.
package credentials
