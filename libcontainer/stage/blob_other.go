//go:build !amd64 && !arm64

package stage

// The stage is a program of its own: see contrib/static/build for how to build one for
// another architecture.
var blob []byte = the_stage_is_built_for_amd64_and_arm64_only
