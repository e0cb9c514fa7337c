// Package tarstream reads a tar archive as a stream of entries, without
// copying their content: V7, ustar, PAX and GNU headers, and sparse files in
// all of GNU's formats. A sparse file comes as the parts that hold data, so one
// of 2^60 bytes costs what its data costs. What an archive can make it keep in
// memory is bounded.
//
// It is not for writing archives, and not for reading a few files out of one
// archive: archive/tar does both. It judges headers as archive/tar does.
package tarstream
