package image

import (
	"crypto/sha256"
	"encoding/hex"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ChainIDs name each layer together with all below it. They are in the order
// of the layers, the lowest first.
//
// Spec: config.md#layer-chainid
func ChainIDs(diffIDs []v1.Hash) []v1.Hash {
	ids := make([]v1.Hash, len(diffIDs))
	for i, diff := range diffIDs {
		if i == 0 {
			ids[i] = diff
			continue
		}
		sum := sha256.Sum256([]byte(ids[i-1].String() + " " + diff.String()))
		ids[i] = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
	}
	return ids
}
