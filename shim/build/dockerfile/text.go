package dockerfile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"golang.org/x/sys/unix"
)

// shown is an instruction as a person is shown it: with values in place of
// variables, but in RUN, whose shell has them.
func (c *compiler) shown(cmd instructions.Command) string {
	text := fmt.Sprint(cmd)
	word, rest, _ := strings.Cut(text, " ")
	switch cmd.(type) {
	case *instructions.RunCommand, *instructions.CmdCommand, *instructions.EntrypointCommand, *instructions.OnbuildCommand,
		*instructions.HealthCheckCommand, *instructions.ShellCommand, *instructions.MaintainerCommand:
	default:
		lex := *c.file.lex
		lex.RawQuotes, lex.RawEscapes, lex.SkipUnsetEnv = true, true, true
		if value, _, err := lex.ProcessWord(rest, &c.env); err == nil {
			rest = value
		}
	}
	return strings.TrimSpace(strings.ToUpper(word) + " " + rest)
}

// oneLine joins the lines of a text.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// firstRealtime and lastRealtime are numbers of signals without names.
// Source: signal(7), SIGRTMIN and SIGRTMAX of C libraries.
const firstRealtime, lastRealtime = 34, 64

// checkSignal refuses what no container could be stopped with.
func checkSignal(text string) error {
	name := "SIG" + strings.TrimPrefix(strings.ToUpper(text), "SIG")
	number, err := strconv.Atoi(text)
	switch {
	case unix.SignalNum(name) != 0, strings.HasPrefix(name, "SIGRTMIN"), strings.HasPrefix(name, "SIGRTMAX"):
		return nil
	case err == nil && (number > 0 && number <= lastRealtime && unix.SignalName(unix.Signal(number)) != "" || number >= firstRealtime && number <= lastRealtime):
		return nil
	}
	return fmt.Errorf("stop signal %q: there is no such signal", text)
}
