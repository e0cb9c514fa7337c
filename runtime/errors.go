package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// exitFailure is davit's exit status when davit itself fails.
const exitFailure = 1

// report tells of the failure that ends this call. This is davit's contract
// with the engines that call it, each of which reads it in its own way:
//
//   - containerd's shim reads the file of --log as JSON and takes the "msg" of
//     the last entry whose "level" is "error": so there is one such entry, and
//     nothing is logged after it.
//   - CRI-O reads standard error, through conmon; podman does too, or the file
//     of --log, where it tries every line: so the message is one line, and it
//     is on standard error wherever the log goes.
//   - podman and moby derive the exit status 126 or 127 from phrases ("permission
//     denied", "no such file or directory", "executable file not found"): so the
//     wording of the kernel's and Go's errors goes through unchanged.
func (p *program) report(err error) {
	message := oneLine(err.Error())
	if p.log.toFile || programFailed(err) {
		fmt.Fprintln(p.err, message)
	}
	if p.log.toFile || !programFailed(err) {
		p.log.logger.Error(message)
	}
}

// oneLine joins the lines of a text, so that a reader who goes by lines gets
// all of it.
func oneLine(text string) string {
	text = strings.TrimSpace(text)
	if !strings.ContainsAny(text, "\r\n") {
		return text
	}
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", "\n"), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// programFailed tells whether the failure is the container's program that
// could not be executed after start. It then stands bare on standard error,
// which by then is the program's: as a shell would put it.
// Compat(runc): its init writes "exec PROGRAM: ERROR" there itself.
func programFailed(err error) bool {
	var step *libcontainer.StepError
	return errors.As(err, &step) && step.Op == plan.OpExec.String()
}
