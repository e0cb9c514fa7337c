package spec

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
)

// maxListed is one more than the greatest number in a list: the most
// processors that a Linux kernel can be built for.
const maxListed = 8192

// Set is a set of processors or memory nodes: bit N%64 of word N/64. Its last
// word is not zero.
type Set []uint64

// Count is the number of members.
func (s Set) Count() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

func (s Set) with(n uint64) Set {
	for uint64(len(s)) <= n/64 {
		s = append(s, 0)
	}
	s[n/64] |= 1 << (n % 64)
	return s
}

// ParseList reads a comma-separated list of numbers and ranges, such as
// "0-3,7", of at most 8191. Space around elements and empty elements are
// ignored; an empty string is an empty set, but a list must have a member.
//
// Spec: config.md#linux-process (execCPUAffinity), config-linux.md#memory-policy (nodes)
func ParseList(list string) (Set, error) {
	if list == "" {
		return nil, nil
	}
	var set Set
	for element := range strings.SplitSeq(list, ",") {
		element = strings.TrimSpace(element)
		if element == "" {
			continue
		}
		first, last, err := parseRange(element)
		if err != nil {
			return nil, err
		}
		for n := first; n <= last; n++ {
			set = set.with(n)
		}
	}
	if set == nil {
		return nil, errors.New("no number in " + shown(list))
	}
	return set, nil
}

func parseRange(element string) (first, last uint64, err error) {
	low, high, isRange := strings.Cut(element, "-")
	if !isRange {
		high = low
	}
	first, err = strconv.ParseUint(low, 10, 64)
	if err == nil {
		last, err = strconv.ParseUint(high, 10, 64)
	}
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return 0, 0, errors.New(shown(element) + " is not a number or range")
	case err != nil || first >= maxListed || last >= maxListed:
		return 0, 0, errors.New(shown(element) + ": values larger than " + strconv.Itoa(maxListed-1) + " are not supported")
	case first > last:
		return 0, 0, errors.New(shown(element) + " ends before it begins")
	}
	return first, last, nil
}
