package task

import (
	"strings"

	"github.com/davit-containers/davit/libcontainer/trace"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// traceOf is the trace that a call is part of, as its metadata have it. What is
// no traceparent goes no further.
// Compat(containerd): since 2.0, where tracing is configured.
// Source: W3C Trace Context.
func traceOf(metadata []ttrpc.KeyValue) engine.Trace {
	var parent, state string
	for _, kv := range metadata {
		switch kv.Key {
		case "traceparent":
			parent = kv.Value
		case "tracestate":
			state = kv.Value
		}
	}
	context, err := trace.ParseContext(parent)
	if err != nil {
		return nil
	}
	t := engine.Trace{"TRACEPARENT=" + context.String()}
	if state != "" && !strings.Contains(state, "\x00") {
		t = append(t, "TRACESTATE="+state)
	}
	return t
}
