package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

// maxInput is what is read from standard input at most, in bytes.
const maxInput = 10 << 20

// request is what containerd asks a start for, in one of three forms: a
// BootstrapParams on standard input (since 2.3), an Any of the options there
// (1.6 to 2.2), or nothing.
type request struct {
	options      *protobuf.Any
	ttrpcAddress string
	grpcAddress  string
	socketDir    string
	debug        bool
	form         form
	version      int32 // of the task service that the caller speaks
}

// form is one of an answer's.
type form int

const (
	plain  form = iota // the address; containerd 1.6
	inJSON             // containerd 1.7 to 2.2, CRI-O
	binary             // a BootstrapResult; containerd from 2.3 on
)

// newest is the version of the task service that is answered at most.
const newest = 3

// readRequest reads standard input, where that is no terminal.
func (c *call) readRequest(in io.Reader) (*request, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxInput))
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	r := &request{
		ttrpcAddress: os.Getenv("TTRPC_ADDRESS"), grpcAddress: c.address, debug: c.debug, version: 2,
	}
	// Compat(containerd, cri-o): 1.7 and CRI-O refuse an answer of a newer version.
	if most, err := strconv.Atoi(os.Getenv("MAX_SHIM_VERSION")); err == nil {
		r.form, r.version = inJSON, min(int32(most), newest)
	}
	if len(data) == 0 {
		return r, nil
	}
	p := api.BootstrapParams{}
	// Options decode as BootstrapParams too: the identity tells.
	if protobuf.Unmarshal(data, &p) == nil && p.InstanceID == c.id && p.Namespace == c.namespace {
		r.fill(&p)
		return r, nil
	}
	r.options = &protobuf.Any{}
	if err := protobuf.Unmarshal(data, r.options); err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	return r, nil
}

func (r *request) fill(p *api.BootstrapParams) {
	r.form, r.version, r.socketDir = binary, newest, p.SocketDir
	r.debug = r.debug || p.LogLevel <= api.LogDebug
	if p.ContainerdTtrpcAddress != "" {
		r.ttrpcAddress = p.ContainerdTtrpcAddress
	}
	if p.ContainerdGrpcAddress != "" {
		r.grpcAddress = p.ContainerdGrpcAddress
	}
	for _, e := range p.Extensions {
		if e.Value != nil {
			r.options = e.Value
			return
		}
	}
}

// answer prints where the supervisor is, in the form that the caller knows.
func (r *request) answer(address string) error {
	var out []byte
	switch r.form {
	case binary:
		// These three fields alone: a caller before 2.3.4 trims white space off
		// the message, and would take the end of others for that.
		out = protobuf.Marshal(&api.BootstrapResult{Version: r.version, Address: address, Protocol: "ttrpc"})
	case inJSON:
		out, _ = json.Marshal(map[string]any{"version": r.version, "address": address, "protocol": "ttrpc"})
	case plain:
		out = []byte(address)
	}
	_, err := os.Stdout.Write(out)
	return err
}
