package engine

// newRuntime is the one that a container's options name.
func newRuntime(o *Options, bundle, namespace string, warn func(string)) maker {
	if o.Binary != "" {
		return newCommand(o, bundle, namespace)
	}
	return newNative(o, namespace, warn)
}
