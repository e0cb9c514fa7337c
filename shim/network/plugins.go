package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// pluginDirs are where distributions and CNI's own releases put plugins.
var pluginDirs = []string{"/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"}

// plugins runs CNI's.
type plugins struct {
	dirs  []string
	cache string
}

func newPlugins(dirs []string, cache string) *plugins {
	if len(dirs) == 0 {
		dirs = pluginDirs
	}
	return &plugins{dirs, cache}
}

// holding runs plugins that hold a lock for as long as one of them, or a program
// of theirs, runs: they outlive us where we are killed.
func (p *plugins) holding(l *statefile.Lock) *libcni.CNIConfig {
	return libcni.NewCNIConfigWithCacheDir(p.dirs, p.cache, &pluginExec{lock: l.File()})
}

// pluginExec runs plugins with a PATH on which they find iptables, wherever a
// user's own begins.
type pluginExec struct {
	version.PluginDecoder
	lock *os.File
}

// FindInPath is of the interface that libcni wants.
func (e *pluginExec) FindInPath(plugin string, dirs []string) (string, error) {
	return invoke.FindInPath(plugin, dirs)
}

// ExecPlugin is of the interface that libcni wants. A plugin that fails says why
// in JSON on its output.
func (e *pluginExec) ExecPlugin(ctx context.Context, plugin string, stdin []byte, env []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, plugin)
	cmd.Env = append(env, "PATH="+searchPath())
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.ExtraFiles = []*os.File{e.lock}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.Bytes(), nil
	}
	var said types.Error
	if json.Unmarshal(stdout.Bytes(), &said) == nil && said.Msg != "" {
		return nil, &said
	}
	return nil, fmt.Errorf("running %s: %w: %s", plugin, err, stderr.String())
}

// searchPath is PATH with the places of programs for root.
func searchPath() string {
	return strings.TrimPrefix(os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin", ":")
}

// lookPath finds a program on searchPath.
func lookPath(name string) (string, error) {
	for _, dir := range filepath.SplitList(searchPath()) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// need says which plugins are missing, before anything is begun.
func (p *plugins) need(names ...string) error {
	for _, name := range names {
		if _, err := invoke.FindInPath(name, p.dirs); err != nil {
			return fmt.Errorf("CNI's plugin %s is in none of %s (is containernetworking-plugins installed?)", name, strings.Join(p.dirs, ", "))
		}
	}
	return nil
}

// add runs the plugins of a list for one interface, and returns what they say.
func add(ctx context.Context, cni *libcni.CNIConfig, list []byte, rt *libcni.RuntimeConf) (*types100.Result, error) {
	conf, err := libcni.NetworkConfFromBytes(list)
	if err != nil {
		return nil, err
	}
	result, err := cni.AddNetworkList(ctx, conf, rt)
	if err != nil {
		return nil, oneLine(err)
	}
	return types100.NewResultFromResult(result)
}

// del undoes add, also a half one, and also where nothing is there.
func del(ctx context.Context, cni *libcni.CNIConfig, list []byte, rt *libcni.RuntimeConf) error {
	conf, err := libcni.NetworkConfFromBytes(list)
	if err != nil {
		return err
	}
	return oneLine(cni.DelNetworkList(ctx, conf, rt))
}

// oneLine is a plugin's error without line ends.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	var e *types.Error
	text := err.Error()
	if errors.As(err, &e) {
		text = strings.TrimSuffix(e.Msg+"; "+e.Details, "; ")
	}
	return errors.New(strings.Join(strings.Fields(text), " "))
}
