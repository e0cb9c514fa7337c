package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/types"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// defaultServer is where images are from whose names name no registry, and hubKey the
// name under which its credentials are kept.
// Compat(moby): the same.
const (
	defaultServer = "docker.io"
	hubKey        = "https://index.docker.io/v1/"
)

// credentials has the flags of davit-shim login.
type credentials struct {
	user, password string
	stdin          bool
}

// loginCommand is davit-shim login.
func (p *program) loginCommand() *cobra.Command {
	var c credentials
	cmd := &cobra.Command{
		Use:   "login [SERVER]",
		Short: "log in to a registry",
		Long: `Asks for a name and a password, sees whether the registry takes them, and keeps them
where Docker does: in $DOCKER_CONFIG or ~/.docker/config.json, or with the helper that
is named there. SERVER is docker.io where none is given.`,
		Args: between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.login(cmd.Context(), c, serverOf(args)) },
	}
	cmd.Flags().StringVarP(&c.user, "username", "u", "", "the `NAME`")
	cmd.Flags().StringVarP(&c.password, "password", "p", "", "the `PASSWORD`, which others on this machine can see so")
	cmd.Flags().BoolVar(&c.stdin, "password-stdin", false, "read the password from standard input")
	return cmd
}

// logoutCommand is davit-shim logout.
func (p *program) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout [SERVER]",
		Short: "forget the credentials for a registry",
		Args:  between(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			server := serverOf(args)
			file, err := config.Load(config.Dir())
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "Removing login credentials for %s\n", server)
			return file.GetCredentialsStore(keyOf(server)).Erase(keyOf(server))
		},
	}
}

// serverOf is the registry that is meant.
func serverOf(args []string) string {
	if len(args) == 0 {
		return defaultServer
	}
	server := strings.TrimPrefix(strings.TrimPrefix(args[0], "https://"), "http://")
	server, _, _ = strings.Cut(server, "/")
	if server == "index.docker.io" || server == "registry-1.docker.io" {
		return defaultServer
	}
	return server
}

func keyOf(server string) string {
	if server == defaultServer {
		return hubKey
	}
	return server
}

func (p *program) login(ctx context.Context, c credentials, server string) error {
	if err := p.complement(&c); err != nil {
		return err
	}
	registry, err := client(nil)
	if err != nil {
		return err
	}
	if err := registry.Login(ctx, server, c.user, c.password); err != nil {
		return err
	}
	file, err := config.Load(config.Dir())
	if err != nil {
		return err
	}
	err = file.GetCredentialsStore(keyOf(server)).Store(types.AuthConfig{ServerAddress: keyOf(server), Username: c.user, Password: c.password})
	if err != nil {
		return fmt.Errorf("keeping the credentials: %w", err)
	}
	_, err = fmt.Fprintln(p.out, "Login Succeeded")
	return err
}

// complement asks for what the flags do not say.
// Compat(moby): what goes together, and its words.
func (p *program) complement(c *credentials) (err error) {
	switch {
	case c.stdin && c.password != "":
		return errors.New("--password and --password-stdin are mutually exclusive")
	case c.stdin && c.user == "":
		return errors.New("Must provide --username with --password-stdin")
	case c.stdin:
		text, err := io.ReadAll(io.LimitReader(p.in, 1<<20))
		c.password = strings.TrimRight(string(text), "\r\n")
		return err
	}
	in := bufio.NewReader(p.in)
	if c.user == "" {
		fmt.Fprint(p.out, "Username: ")
		if c.user, err = line(in); err != nil {
			return err
		}
	}
	if c.password == "" {
		fmt.Fprint(p.out, "Password: ")
		defer p.silent()()
		c.password, err = line(in)
		fmt.Fprintln(p.out)
	}
	if err == nil && (c.user == "" || c.password == "") {
		err = errors.New("a name and a password are needed")
	}
	return err
}

func line(in *bufio.Reader) (string, error) {
	text, err := in.ReadString('\n')
	if errors.Is(err, io.EOF) && text != "" {
		err = nil
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("there is nothing more on standard input")
	}
	return strings.TrimRight(text, "\r\n"), err
}

// silent has a terminal not show what is typed, until the function is called that it
// returns.
func (p *program) silent() func() {
	fd := int(p.in.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return func() {} // no terminal
	}
	now := *before
	now.Lflag &^= unix.ECHO
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, &now)
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }
}
