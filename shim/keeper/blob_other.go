//go:build !amd64 && !arm64

package keeper

// The keeper is a program of its own: see contrib/static/build for how to build one for
// another architecture.
var blob []byte = the_keeper_is_built_for_amd64_and_arm64_only
