// Package cas reads deployment jobs and their workers from Alibaba Cloud
// Certificate Management Service (API version 2020-04-07).
//
// What it promises: every HTTP request of an account, retries included, passes
// one rate limiter and one bound on requests in flight; a throttled call makes
// all calls of the account wait; what may be repeated is repeated with
// exponential back-off and full jitter, never beyond the caller's deadline.
// Answers are decoded tolerantly (numbers or strings, absent keys, unknown
// values kept, valid UTF-8), keeping only what is exported; an answer that
// lacks what makes it countable is an error, never a zero. Every error carries
// a reason.Reason and no secret.
//
// The JSON reader is jsontext, which Go 1.27 has as encoding/json/jsontext. It
// streams, so a page of any length takes the same memory. It takes what
// encoding/json takes and means the same by it, which FuzzWorkers checks. What
// follows was decided:
//
//   - A run of bytes that are not UTF-8 becomes one U+FFFD. encoding/json makes one
//     of each byte.
//   - A byte order mark is skipped. encoding/json refuses it.
//   - Raw control characters in strings fail as decode, as they do in every
//     decoder that follows RFC 8259. A filter could only guess what they stand
//     for, and no recorded answer of the API has one.
//   - A text of more than 1 MiB, or as much white space, fails as decode: jsontext
//     holds a whole text, and its buffer grows without a bound.
//   - A list or an object where a text belongs counts as absent. It must not be
//     longer than a text.
//   - More than 10,000 levels of nesting fail as decode. jsontext does not use the
//     stack for values that nobody asked for.
//   - A decoder whose buffer grew is not used again.
//   - A body that sends nothing for ever fails after a hundred empty reads.
//     jsontext would read on.
//
// It refuses to judge: a page is reported as the API gave it, and whether pages
// add up is decided by whoever reads all of them. Contacts and user ids are
// never decoded.
package cas
