package envelope

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"io"
	"maps"
	"slices"
)

// Metadata keys of a message that goes back to a consumer.
const (
	MetaSignature = "millrace-signature"  // of the event service, by RequeueKey
	MetaRequeueOf = "millrace-requeue-of" // UUID of the poison message that was requeued
)

// RequeueKey signs what goes back to a consumer. Such a message claims the subject that it came from first and is believed as if it came
// from there, although another service publishes it. The key is the same for all services. The zero value signs and accepts nothing.
type RequeueKey struct{ secret []byte }

// NewRequeueKey returns the key with a secret of 32 bytes.
func NewRequeueKey(secret []byte) RequeueKey { return RequeueKey{secret: slices.Clone(secret)} }

// Usable reports whether k has a secret.
func (k RequeueKey) Usable() bool { return len(k.secret) > 0 }

// Sign returns the signature of a message to a consumer: over its name, the message's ID, all metadata and the payload.
func (k RequeueKey) Sign(consumer, id string, metadata map[string]string, payload []byte) string {
	if !k.Usable() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(k.mac(consumer, id, metadata, payload))
}

// Signed reports whether the signature that metadata carries is k's for this very message. It takes the same time wherever it is wrong.
func (k RequeueKey) Signed(consumer, id string, metadata map[string]string, payload []byte) bool {
	carried, err := base64.RawURLEncoding.DecodeString(metadata[MetaSignature])
	return err == nil && k.Usable() && hmac.Equal(carried, k.mac(consumer, id, metadata, payload))
}

func (k RequeueKey) mac(consumer, id string, metadata map[string]string, payload []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	writeRequeued(mac, consumer, id, metadata, payload)
	return mac.Sum(nil)
}

// RequeuedDigest returns a digest of a message to a consumer, equal for equal messages alone.
func RequeuedDigest(consumer, id string, metadata map[string]string, payload []byte) []byte {
	digest := sha256.New()
	writeRequeued(digest, consumer, id, metadata, payload)
	return digest.Sum(nil)
}

// writeRequeued leaves out the signature itself, and what the broker takes off on the way. It writes a message so that no other one is
// written the same: each part follows its length, metadata goes by name.
func writeRequeued(h hash.Hash, consumer, id string, metadata map[string]string, payload []byte) {
	part := func(s string) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(s))) // a hash takes everything
		_, _ = io.WriteString(h, s)
	}
	part("millrace requeue 1")
	part(consumer)
	part(id)
	part(string(payload))
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		if name != MetaSignature && name != MetaDeduplicationID {
			part(name)
			part(metadata[name])
		}
	}
}
