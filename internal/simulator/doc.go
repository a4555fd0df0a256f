// Package simulator is an http.Handler that speaks the RPC protocol of Alibaba
// Cloud Certificate Management Service (CAS, version 2020-04-07), as its API
// reference describes it, over an estate of deployment jobs held in memory.
//
// It verifies what the service verifies: the signature (HMAC-SHA1 over the parameters
// or ACS3-HMAC-SHA256 over headers), the nonce, the timestamp, the parameters that
// it knows; others are ignored. It pages and filters like it, answers with its
// types and their quirks, and refuses with its error bodies. Faults can be
// injected by name. The demo estate moves with the clock and is the same for the
// same seed.
//
// It shares no code with the exporter, so that it cannot share its mistakes, and
// it refuses to know anything of it.
package simulator
