//go:build !amd64 && !arm64

package rootless

// joinProgram is in C: see contrib/static/build for how to build it for another
// architecture.
var joinProgram []byte = the_program_is_built_for_amd64_and_arm64_only
