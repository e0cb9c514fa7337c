// Package options has the flags that Docker taught for making a container, and
// turns what they say into the options of package bundle/config. Each command
// that makes a container, or a bundle for one, has the same flags.
//
// It asks the host what a flag needs: files that are named, devices, the
// caller's environment. It makes nothing, and it is not for flags on networks,
// which are package network's.
package options
