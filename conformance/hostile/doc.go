// Package hostile attacks davit-shim by its commands, as published vulnerabilities
// of programs that run containers from images did: with images, build contexts and
// containers that are hostile, while names are exchanged where that was the way. It
// looks at what came of it on the host: at a directory that nothing may read or
// change, at which programs were executed, and at what was left.
//
//	go test ./conformance/hostile -rounds 300
//
// It is not for the runtime, which conformance/security attacks, nor for the parts
// of davit-shim one by one, which have tests of their own.
package hostile
