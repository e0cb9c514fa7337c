package container

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
)

// idDigits is how long an ID is.
const idDigits = 64

// NewID is an ID that no other container has. One that is all digits would be
// taken for a number as a host name.
func NewID() string {
	var id [idDigits / 2]byte
	for {
		rand.Read(id[:])
		text := hex.EncodeToString(id[:])
		if strings.Trim(text[:12], "0123456789") != "" {
			return text
		}
	}
}

func isID(text string) bool {
	return len(text) == idDigits && strings.Trim(text, "0123456789abcdef") == ""
}

// CheckName says what is wrong with a container's name: it becomes a part of file
// names, and stands in hosts files.
// Compat(moby): what it allows; its words.
func CheckName(name string) error {
	wrong := len(name) < 2 || len(name) > 128
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		wrong = wrong || !letter && (i == 0 || !strings.ContainsRune("_.-", r))
	}
	if wrong {
		return fmt.Errorf("Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	}
	return nil
}

// A name that nobody gave is one of the first and one of the second.
var (
	manners = strings.Fields(`able amber brave bright brisk calm clever cosy crisp daring eager early fair famous
		fond free gentle glad golden grand happy hardy honest jolly keen kind lively loyal lucky mellow merry mild
		modest neat nimble noble patient plain plucky polite proud quick quiet ready sharp shy silver sleek smart
		steady still sturdy sunny sweet swift tidy trusty vivid warm wise witty young`)
	animals = strings.Fields(`adder alpaca badger bear beaver bison bunting camel carp cat chough civet cod condor
		coot crane cricket crow curlew deer dingo dipper dove eagle eel egret elk falcon ferret finch fox gecko gnu
		goat goose grouse hare hawk heron hippo ibex ibis jackal jay kestrel kite koala lark lemur linnet lion llama
		lynx magpie marten mink mole moose moth mouse newt okapi oriole osprey otter owl ox panda perch pike plover
		pony puffin quail rabbit ram raven rhea robin rook ruff salmon seal shrew skua snipe sparrow squid stoat
		stork swan swift tapir teal tern thrush tiger toad trout turtle viper vole weasel whale wolf wren yak zebra`)
)

// newName is a name for a container that was given none.
func newName() string { return pick(manners) + "_" + pick(animals) }

func pick(words []string) string {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(words))))
	if err != nil {
		panic(err) // Source: crypto/rand: its reader never fails
	}
	return words[n.Int64()]
}
