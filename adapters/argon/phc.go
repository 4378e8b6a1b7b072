package argon

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// errHash says that a stored hash is none of ours. It never quotes the hash.
var errHash = errors.New("stored password hash is not a usable argon2id hash")

// Bounds of a stored hash's parameters: a row that was tampered with must not be able to take the machine's memory or time.
const (
	maxMemory  = 1 << 20 // KiB
	maxPasses  = 16
	maxThreads = 16
	minSalt    = 8
	maxSalt    = 64
	minKey     = 16
	maxKey     = 64
)

// phc is a hash with its parameters, as the PHC string format writes them: $argon2id$v=19$m=…,t=…,p=…$salt$key.
type phc struct {
	memory  uint32
	passes  uint32
	threads uint8
	salt    []byte
	key     []byte
}

// String implements fmt.Stringer.
func (p phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.threads,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.key))
}

func parse(hash string) (phc, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, errHash
	}
	var p phc
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.threads); err != nil {
		return phc{}, errHash
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil {
		return phc{}, errHash
	}
	if p.key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil {
		return phc{}, errHash
	}
	if !p.bounded() || p.String() != hash {
		return phc{}, errHash
	}
	return p, nil
}

func (p phc) bounded() bool {
	return p.threads >= 1 && p.threads <= maxThreads &&
		p.memory >= 8*uint32(p.threads) && p.memory <= maxMemory &&
		p.passes >= 1 && p.passes <= maxPasses &&
		len(p.salt) >= minSalt && len(p.salt) <= maxSalt &&
		len(p.key) >= minKey && len(p.key) <= maxKey
}
