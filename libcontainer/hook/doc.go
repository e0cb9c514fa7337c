// Package hook runs the programs of config.json's hooks that belong on the
// host's side: prestart, createRuntime, poststart and poststop.
//
// It is not for createContainer and startContainer, which run in the
// container's namespaces, where no Go code goes.
package hook
