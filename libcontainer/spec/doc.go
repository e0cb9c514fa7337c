// Package spec reads a bundle's config.json: it decodes the text into
// specs.Spec, says which field breaks the runtime specification, and writes
// the starter configuration of the spec command.
//
// It is pure: no files, no system calls, no knowledge of the host. What a
// host lacks, and what becomes of a valid configuration, is package plan's
// business; reading the file is its caller's.
package spec
