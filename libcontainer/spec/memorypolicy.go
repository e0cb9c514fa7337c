package spec

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// checkMemoryPolicy has runc's rules and phrases, which its tests read.
func checkMemoryPolicy(s *specs.Spec) *Error {
	m := linux(s).MemoryPolicy
	if m == nil {
		return nil
	}
	nodes, err := ParseList(m.Nodes)
	switch needed, known := nodesOf(m.Mode); {
	case !known:
		return refuse("linux.memoryPolicy.mode", "invalid memory policy mode "+shown(string(m.Mode)))
	case err != nil:
		return refuse("linux.memoryPolicy.nodes", "invalid memory policy nodes "+shown(m.Nodes)+": "+err.Error())
	case needed == noNodes && nodes.Count() > 0:
		return refuse("linux.memoryPolicy.nodes", "invalid memory policy: "+string(m.Mode)+" mode requires 0 nodes but got "+strconv.Itoa(nodes.Count()))
	case needed == someNodes && nodes.Count() == 0:
		return refuse("linux.memoryPolicy.nodes", "invalid memory policy: "+string(m.Mode)+" mode requires at least one node but got 0")
	}
	for i, flag := range m.Flags {
		switch flag {
		case specs.MpolFStaticNodes, specs.MpolFRelativeNodes, specs.MpolFNumaBalancing:
		default:
			return refuse(at("linux.memoryPolicy.flags", i), "invalid memory policy flag "+shown(string(flag)))
		}
	}
	return nil
}

type nodesNeeded int

const (
	anyNodes nodesNeeded = iota
	noNodes
	someNodes
)

// nodesOf tells how many nodes set_mempolicy(2) wants with a mode.
func nodesOf(mode specs.MemoryPolicyModeType) (needed nodesNeeded, known bool) {
	switch mode {
	case specs.MpolDefault, specs.MpolLocal:
		return noNodes, true
	case specs.MpolBind, specs.MpolInterleave, specs.MpolPreferredMany, specs.MpolWeightedInterleave:
		return someNodes, true
	case specs.MpolPreferred:
		return anyNodes, true
	}
	return anyNodes, false
}
