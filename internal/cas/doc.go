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
// It refuses to judge: a page is reported as the API gave it, and whether pages
// add up is decided by whoever reads all of them. Contacts and user ids are
// never decoded.
package cas
