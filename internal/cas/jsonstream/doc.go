// Package jsonstream reads one JSON value from a stream in a single pass,
// keeping nothing but a fixed buffer, so that a page of any length costs the
// same memory and fields that nobody asked for cost no allocation.
//
// It accepts whatever encoding/json accepts and means the same by it, which a
// fuzz test holds. Beyond that it takes raw control characters in strings and a
// byte order mark, which gateways have been seen to send.
//
// It refuses to convert: callers get the bytes of strings and numbers and say
// what they take them for.
package jsonstream
