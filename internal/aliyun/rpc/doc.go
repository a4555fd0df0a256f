// Package rpc signs one call of an Alibaba Cloud RPC API, sends it, and hands
// the body of a good answer to a decoder.
//
// The official SDK signs (sdk/auth); an http.Client of our own sends, because
// the SDK's client has no context, is not safe for concurrent use, follows
// redirects with the signed URL as Referer and panics on unexpected error
// bodies.
//
// What it promises: every error that leaves is one line of ours with a
// reason.Reason; no error, log line or formatted value holds a secret, a token,
// an access key id or a signed URL; a redirect is never followed; a body is
// never read beyond a bound; a cancelled context ends the call at once.
//
// It refuses to retry: whether a call may be repeated, and when, is the
// caller's decision.
package rpc
