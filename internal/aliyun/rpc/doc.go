// Package rpc signs one call of an Alibaba Cloud RPC API, sends it, and hands
// the body of a good answer to a decoder.
//
// The official SDK signs (sdk/auth); an http.Client of our own sends, because
// the SDK's client has no context, is not safe for concurrent use, follows
// redirects with the signed URL as Referer and panics on unexpected error
// bodies.
//
// What it promises:
//
//   - Every error is one line of ours with a reason.Reason.
//   - No error, log line or formatted value contains a secret, a token, an access key
//     id or a signed URL.
//   - A redirect is never followed, and a body is never read beyond a bound.
//   - A cancelled context ends the call at once.
//
// It does not retry: the caller decides whether and when to repeat a call.
package rpc
