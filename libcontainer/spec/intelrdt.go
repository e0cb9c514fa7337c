package spec

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func checkIntelRdt(s *specs.Spec) *Error {
	rdt := linux(s).IntelRdt
	if rdt == nil {
		return nil
	}
	if !closName(rdt.ClosID) {
		return refuse("linux.intelRdt.closID", "invalid intelRdt.closID "+shown(rdt.ClosID))
	}
	if mb := rdt.MemBwSchema; mb != "" {
		switch {
		case !strings.HasPrefix(mb, "MB:"):
			return refuse("linux.intelRdt.memBwSchema", `must start with "MB:"`)
		case strings.ContainsAny(mb, "\n\x00"):
			return refuse("linux.intelRdt.memBwSchema", "must be one line")
		}
	}
	if hasNUL(rdt.L3CacheSchema) {
		return refuse("linux.intelRdt.l3CacheSchema", reasonNUL)
	}
	for i, line := range rdt.Schemata {
		if strings.ContainsAny(line, "\n\x00") {
			return refuse(at("linux.intelRdt.schemata", i), "must be one line")
		}
	}
	return nil
}

// closName tells whether a class of service can be a folder's name; "/" is
// the default class.
func closName(id string) bool {
	return id == "/" || id != "." && id != ".." && !strings.ContainsAny(id, "/\n\x00")
}
