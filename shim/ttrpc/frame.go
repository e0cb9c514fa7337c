package ttrpc

import (
	"encoding/binary"
	"fmt"

	"github.com/davit-containers/davit/shim/protobuf"
)

// The frames' types.
const (
	requestFrame  = 1
	responseFrame = 2
)

const (
	headerSize = 10
	// maxData is what a frame holds at most, in bytes, by the protocol.
	maxData = 4 << 20
)

// header begins a frame.
type header struct {
	length, stream uint32
	kind           uint8
}

func parseHeader(b []byte) header {
	return header{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), b[8]}
}

// frame is a whole frame.
func frame(stream uint32, kind uint8, data []byte) []byte {
	out := make([]byte, headerSize, headerSize+len(data))
	binary.BigEndian.PutUint32(out, uint32(len(data)))
	binary.BigEndian.PutUint32(out[4:], stream)
	out[8] = kind
	return append(out, data...)
}

// Request is a call.
type Request struct {
	Service, Method string
	Payload         []byte
	Timeout         int64 // in nanoseconds; 0 for none
	Metadata        []KeyValue
	Peer            Peer // who calls, at a server
}

// Peer is one connection of a server's. It is for comparing.
type Peer *conn

// KeyValue is an element of a call's metadata.
type KeyValue struct{ Key, Value string }

// Fields are ttrpc.KeyValue's.
func (k *KeyValue) Fields(c *protobuf.Coder) {
	c.Text(1, &k.Key)
	c.Text(2, &k.Value)
}

// Fields are ttrpc.Request's.
func (r *Request) Fields(c *protobuf.Coder) {
	c.Text(1, &r.Service)
	c.Text(2, &r.Method)
	c.Bytes(3, &r.Payload)
	protobuf.Number(c, 4, &r.Timeout)
	protobuf.Many(c, 5, &r.Metadata)
}

// response answers a call.
type response struct {
	status  *Status
	payload []byte
}

func (r *response) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &r.status)
	c.Bytes(2, &r.payload)
}

// Status is how a call failed: an error that goes over the wire.
type Status struct {
	Code    Code
	Message string
}

// Fields are google.rpc.Status's.
func (s *Status) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &s.Code)
	c.Text(2, &s.Message)
}

// Error is the message.
func (s *Status) Error() string { return s.Message }

// Code is the kind of a failure.
type Code int32

// The kinds that shims use.
const (
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	FailedPrecondition Code = 9
	Unimplemented      Code = 12
	Unavailable        Code = 14
)

// Errorf is a failure of a kind.
func Errorf(code Code, format string, args ...any) *Status {
	return &Status{code, fmt.Sprintf(format, args...)}
}
