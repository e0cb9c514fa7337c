//go:build !amd64 && !arm64

package programs

// The programs are in C: see contrib/static/build for how to build them for another
// architecture.
var initProgram, helloProgram []byte = the_programs_are_built_for_amd64_and_arm64_only, nil
