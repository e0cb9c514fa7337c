package task

// sandbox is a pod that this shim holds.
type sandbox struct{}

var sandboxMethods = map[string]method{}
