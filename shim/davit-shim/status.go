package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// The exit statuses of commands that run a program, beside the program's own.
// Compat(moby): the same.
const (
	statusFailure  = 125 // davit-shim itself
	statusInvoke   = 126 // the program cannot be invoked
	statusNotFound = 127 // there is no such program
)

// statusError is an error with which a call ends by a status other than 1.
type statusError struct {
	error
	status int
}

// Unwrap is the error.
func (s statusError) Unwrap() error { return s.error }

// ends has a command end by status 125 whatever fails that has no status of its
// own, also in how it was called.
func ends(cmd *cobra.Command) *cobra.Command {
	do, arguments := cmd.RunE, cmd.Args
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return failing(do(cmd, args)) }
	cmd.Args = func(cmd *cobra.Command, args []string) error { return failing(arguments(cmd, args)) }
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return failing(flagError(cmd, err)) })
	return cmd
}

// failing is an error of status 125, unless it has one.
func failing(err error) error {
	var failed statusError
	var status exitStatus
	if err == nil || errors.As(err, &failed) || errors.As(err, &status) {
		return err
	}
	return statusError{err, statusFailure}
}
