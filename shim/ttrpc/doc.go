// Package ttrpc speaks containerd's ttrpc on a loop: a server for unary calls,
// which may be answered at any later time, and a client.
//
// A server's connections can outlive it, with all that was said: a keeper holds
// them, and the server that follows goes on (kept.go).
//
// It is not containerd's own package of that name, which keeps goroutines per
// connection and call. It knows no streams: no service of a shim has any.
package ttrpc
