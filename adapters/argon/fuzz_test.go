package argon

import "testing"

func FuzzStoredHash(f *testing.F) {
	const good = "$argon2id$v=19$m=47104,t=1,p=1$c2FsdHNhbHRzYWx0$a2V5a2V5a2V5a2V5a2V5a2V5"
	for _, seed := range []string{
		good, "", "$$$$$", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5", "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$a2V5",
		"$argon2id$v=19$m=+8,t=1,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5a2V5", "$argon2id$v=19$m=8,t=1,p=256$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5a2V5",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		p, err := parse(hash)
		if err == nil && (!p.bounded() || p.String() != hash) {
			t.Fatalf("%q is read as %v", hash, p)
		}
	})
}
