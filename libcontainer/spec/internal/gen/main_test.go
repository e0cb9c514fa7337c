package main

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestGeneratedFileIsCurrent(t *testing.T) {
	want, err := generate(reflect.TypeFor[specs.Spec](), reflect.TypeFor[specs.Process](), reflect.TypeFor[specs.LinuxResources]())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../decode_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("decode_gen.go is not what the generator writes: run go generate ./libcontainer/spec")
	}
}

// TestRefusals: a type that needs care stops the generator; it is never
// decoded wrongly.
func TestRefusals(t *testing.T) {
	type raw struct {
		A json.RawMessage `json:"a"`
	}
	type rawPointer struct {
		A *json.RawMessage `json:"a"`
	}
	type octets struct {
		A []byte `json:"a"`
	}
	type float struct {
		A float64 `json:"a"`
	}
	type quoted struct {
		A int `json:"a,string"`
	}
	type untagged struct{ A string }
	type hidden struct {
		A string `json:"-"`
	}
	type byNumber struct {
		A map[int]string `json:"a"`
	}
	type twice struct {
		A string `json:"a"`
		B string `json:"A"`
	}
	type nested struct {
		A [][]string `json:"a"`
	}
	type foreign struct {
		A struct{} `json:"a"`
	}
	for _, root := range []reflect.Type{
		reflect.TypeFor[raw](), reflect.TypeFor[rawPointer](), reflect.TypeFor[octets](), reflect.TypeFor[float](), reflect.TypeFor[quoted](),
		reflect.TypeFor[untagged](), reflect.TypeFor[hidden](), reflect.TypeFor[byNumber](), reflect.TypeFor[twice](), reflect.TypeFor[nested](),
		reflect.TypeFor[foreign](),
	} {
		t.Run(root.Name(), func(t *testing.T) {
			_, err := generate(root)
			if err == nil || !strings.Contains(err.Error(), "handled") && !strings.Contains(err.Error(), "two members") {
				t.Errorf("got %v", err)
			}
		})
	}
}
