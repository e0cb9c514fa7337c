package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/trace"
)

// tracing is what --trace and $TRACEPARENT ask for.
type tracing struct {
	recorder *trace.Recorder // nil without --trace
	command  string
	hookEnv  []string // what hooks are told of the trace
}

// startTrace begins to record, if that is wanted, and tells hooks of the trace
// that the call is part of.
func (p *program) startTrace(rest []string) {
	parent, state := p.callersTrace()
	context := parent
	if p.globals.trace != "" {
		p.tracing.command = "help"
		if len(rest) > 0 {
			p.tracing.command = rest[0]
		}
		p.tracing.recorder = trace.New(p.name+" "+p.tracing.command, parent)
		context = p.tracing.recorder.Context()
	}
	if context != (trace.Context{}) {
		p.tracing.hookEnv = []string{"TRACEPARENT=" + context.String()}
	}
	if state != "" {
		p.tracing.hookEnv = append(p.tracing.hookEnv, "TRACESTATE="+state)
	}
}

// callersTrace is the trace that davit's caller is part of, and what its
// systems say of themselves. A TRACEPARENT that is none goes no further: a hook
// may inherit the environment.
// Source: W3C Trace Context; that the environment carries it is a convention
// of OpenTelemetry.
func (p *program) callersTrace() (parent trace.Context, state string) {
	text := os.Getenv("TRACEPARENT")
	if text == "" {
		return trace.Context{}, ""
	}
	parent, err := trace.ParseContext(text)
	if err != nil {
		p.log.debugf("%v; it is ignored", err)
		os.Unsetenv("TRACEPARENT")
		os.Unsetenv("TRACESTATE")
		return trace.Context{}, ""
	}
	return parent, os.Getenv("TRACESTATE")
}

// writeTrace writes what was recorded. That it cannot is no failure of the
// command, but a warning.
func (p *program) writeTrace(result error) {
	if p.tracing.recorder == nil {
		return
	}
	others := map[string]string{"program": "davit " + version, "command": p.tracing.command}
	var status exitStatus
	if errors.As(result, &status) {
		others["exitStatus"] = strconv.Itoa(int(status))
		result = nil
	}
	if err := p.saveTrace(result, others); err != nil {
		p.log.warn(fmt.Sprintf("writing the trace: %v", err))
	}
}

// saveTrace writes what was recorded to a file.
func (p *program) saveTrace(result error, others map[string]string) error {
	f, err := createTrace(p.globals.trace, p.tracing.command)
	if err != nil {
		return err
	}
	err = p.tracing.recorder.Write(f, os.Getpid(), result, others)
	return errors.Join(err, f.Close())
}

// createTrace replaces the file; in a directory, every call has a new one of
// its own. Others may write to the directory and foresee the name: what is
// there already stays as it is, and no symbolic link is followed.
func createTrace(path, command string) (*os.File, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return os.Create(path)
	}
	name := filepath.Join(path, fmt.Sprintf("davit-%s-%d", command, os.Getpid()))
	for suffix := ""; ; suffix = fmt.Sprintf("-%d", time.Now().UnixNano()) {
		f, err := os.OpenFile(name+suffix+".json", os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o666)
		if !errors.Is(err, os.ErrExist) {
			return f, err
		}
	}
}
