// Package inflate decompresses gzip streams, as fast as plain Go can: most
// image layers are gzip, and decompressing them is a third of the work of
// unpacking. It reads several members, verifies each member's checksum and
// length, and refuses what follows the last one.
//
// It is not for random access, and not for zlib or raw DEFLATE streams: use
// compress/zlib and compress/flate. It does not bound the size of what comes
// out; whoever takes the output knows how much it may be.
//
// Source: RFC 1951 (DEFLATE), RFC 1952 (gzip).
package inflate
