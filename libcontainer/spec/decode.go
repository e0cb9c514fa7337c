package spec

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

//go:generate go run ./internal/gen -out decode_gen.go

// MaxSize is the most bytes that a document may have. Real configurations
// have 2 to 200 KiB; the bound keeps a stray file from filling the memory.
const MaxSize = 16 << 20

// Decode reads config.json. It accepts what encoding/json accepts for
// specs.Spec, with the same result, apart from: a document that is not an
// object, more than MaxSize bytes, nesting deeper than 64 levels, and more
// than 1,048,576 elements of arrays and maps. The strings of the result share one copy of
// the text. The error is a *DecodeError.
//
// Spec: config.md#configuration
func Decode(data []byte) (*specs.Spec, error) {
	return decodeObject("config.json", data, decodeSpec)
}

// DecodeProcess reads a process object alone, as exec --process takes it,
// under Decode's rules. The error is a *DecodeError.
//
// Spec: config.md#process
func DecodeProcess(data []byte) (*specs.Process, error) {
	return decodeObject("process.json", data, decodeProcess)
}

// DecodeResources reads a resources object alone, as update --resources takes
// it, under Decode's rules. The error is a *DecodeError.
//
// Spec: config-linux.md#control-groups
func DecodeResources(data []byte) (*specs.LinuxResources, error) {
	return decodeObject("resources.json", data, decodeLinuxResources)
}

// DecodeMounts reads an array of mounts alone, as mounts add takes it, under
// Decode's rules. The error is a *DecodeError.
//
// Spec: config.md#mounts
func DecodeMounts(data []byte) ([]specs.Mount, error) {
	return decode("mounts.json", data, '[', "an array", func(d *decoder, v *[]specs.Mount) {
		slice(d, v, decodeMount)
	})
}

// DecodeError says where a document cannot be read, and why.
type DecodeError struct {
	Document string // such as "config.json"
	Field    string // such as "process.args[1]"; empty for the document itself
	Offset   int    // bytes before the place
	Reason   string
}

// Error is one line.
func (e *DecodeError) Error() string {
	text := e.Document + ": "
	if e.Field != "" {
		text += e.Field + ": "
	}
	return text + e.Reason + " (byte " + strconv.Itoa(e.Offset) + ")"
}

// decodeObject reads a document that is one object.
func decodeObject[T any](document string, data []byte, object func(*decoder, *T)) (*T, error) {
	v, err := decode(document, data, '{', "an object", object)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// decode reads a document that begins with open.
func decode[T any](document string, data []byte, open byte, want string, value func(*decoder, *T)) (v T, err error) {
	if len(data) > MaxSize {
		reason := strconv.Itoa(len(data)) + " bytes are too many: the limit is " + strconv.Itoa(MaxSize)
		return v, &DecodeError{Document: document, Offset: MaxSize, Reason: reason}
	}
	d := &decoder{document: document, src: string(data), budget: maxElements}
	if d.peek() == open {
		value(d, &v)
	} else {
		d.mismatch(want)
	}
	d.end()
	if d.err != nil {
		return v, d.err
	}
	return v, nil
}
