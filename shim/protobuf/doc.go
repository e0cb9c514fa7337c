// Package protobuf encodes and decodes protocol buffers for messages that
// declare their fields in one method, which serves both directions.
//
// It is for a process of which there is one per pod, and which starts twice
// per container: generated code registers descriptors of everything at every
// start, and brings reflection and half a megabyte of memory with it. It is not
// a general implementation: proto3 without groups, oneofs, enums' names or
// unknown fields, which are skipped. The tests compare it with Google's.
package protobuf
