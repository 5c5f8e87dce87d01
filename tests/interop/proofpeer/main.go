// proofpeer makes offline proofs, cosignatures and policies with torchwood and the Go project's note and tlog, and says
// what torchwood makes of each: cases for a verifier that shares no code with it.
//
//	proofpeer DIR COUNT SEED
//
// Each case is a folder of DIR with proof, entry and policy; DIR/verdicts has a line "NAME true|false WHAT" for each.
package main

import (
	"bytes"
	"crypto/ed25519"
	b64 "encoding/base64"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	origin       = "peer.example/log"
	maxEntries   = 40
	maxWitnesses = 6
)

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return v
}

type hashes []tlog.Hash

func (h *hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = (*h)[at]
	}
	return out, nil
}

func key(r *rand.Rand) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	r.Read(seed)
	return ed25519.NewKeyFromSeed(seed)
}

// logSigner gives the signer of a log's key, and its verifier key.
func logSigner(name string, k ed25519.PrivateKey) (note.Signer, string) {
	vkey := must(note.NewEd25519VerifierKey(name, k.Public().(ed25519.PublicKey)))
	fields := strings.SplitN(vkey, "+", 3)
	secret := append([]byte{1}, k.Seed()...)
	skey := fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", name, fields[1], b64.StdEncoding.EncodeToString(secret))
	return must(note.NewSigner(skey)), vkey
}

// group makes a random tree of groups over the names and returns the name that stands for all of them.
func group(r *rand.Rand, out *strings.Builder, names []string, next *int) string {
	if len(names) == 1 {
		return names[0]
	}
	var members []string
	for len(names) > 0 {
		n := 1 + r.Intn(len(names))
		if len(members) == 0 && n == len(names) {
			n-- // else the group would have itself as its only member
		}
		members = append(members, group(r, out, names[:n], next))
		names = names[n:]
	}
	threshold := []string{"any", "all", strconv.Itoa(1 + r.Intn(len(members)))}[r.Intn(3)]
	name := fmt.Sprintf("g%d", *next)
	*next++
	fmt.Fprintf(out, "group %s %s %s\n", name, threshold, strings.Join(members, " "))
	return name
}

func lineOf(text []byte, name string) int {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("— "+name+" ")) {
			return i
		}
	}
	return -1
}

// changeLine flips a bit in the middle of a signature, or drops the line.
func changeLine(text []byte, at int, drop bool) []byte {
	lines := bytes.Split(bytes.Clone(text), []byte("\n"))
	if drop {
		lines = append(lines[:at], lines[at+1:]...)
	} else {
		line := lines[at]
		i := len(line) - 20
		if line[i] == 'A' {
			line[i] = 'B'
		} else {
			line[i] = 'A'
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

func makeCase(r *rand.Rand, dir string) (verdict bool, what string) {
	// A log, and a checkpoint of it.
	var stored hashes
	size := 1 + r.Intn(maxEntries)
	for i := 0; i < size; i++ {
		stored = append(stored, must(tlog.StoredHashes(int64(i), []byte(fmt.Sprintf("entry %d", i)), &stored))...)
	}
	root := must(tlog.TreeHash(int64(size), &stored))
	text := torchwood.Checkpoint{Origin: origin, Tree: tlog.Tree{N: int64(size), Hash: root}}.String()
	log, logKey := logSigner(origin, key(r))

	// Witnesses, some of whom cosign, and a policy over all.
	var policy strings.Builder
	var names []string
	signers := []note.Signer{log}
	numSigned := 0
	fmt.Fprintf(&policy, "# case\nlog %s https://log.example/\n", logKey)
	for i := 0; i < r.Intn(maxWitnesses+1); i++ {
		w := must(torchwood.NewCosignatureSigner(fmt.Sprintf("witness.example/%d", i), key(r)))
		name := fmt.Sprintf("w%d", i)
		names = append(names, name)
		fmt.Fprintf(&policy, "witness %s\t%s\n", name, w.Verifier().String())
		if r.Intn(3) > 0 {
			signers = append(signers, w)
			numSigned++
		}
	}
	quorum := "none"
	if len(names) > 0 && r.Intn(8) > 0 {
		next := 0
		quorum = group(r, &policy, names, &next)
	}
	fmt.Fprintf(&policy, "quorum %s\n", quorum)
	checkpoint := must(note.Sign(&note.Note{Text: text}, signers...))

	index := r.Intn(size)
	proof := must(tlog.ProveRecord(int64(size), int64(index), &stored))
	entry := []byte(fmt.Sprintf("entry %d", index))
	what = "honest"
	switch r.Intn(9) {
	case 0:
		what, entry = "another entry", append(entry, '!')
	case 1:
		what, index = "another index", index+1
	case 2:
		if len(proof) > 0 {
			what = "another hash"
			proof[r.Intn(len(proof))][0] ^= 1
		}
	case 3:
		what, checkpoint = "a bad log signature", changeLine(checkpoint, lineOf(checkpoint, origin), false)
	case 4:
		if numSigned > 0 {
			what, checkpoint = "no log signature", changeLine(checkpoint, lineOf(checkpoint, origin), true)
		}
	case 5:
		if numSigned > 0 {
			at := lineOf(checkpoint, signers[1].Name())
			what, checkpoint = "a bad cosignature", changeLine(checkpoint, at, false)
		}
	}
	written := torchwood.FormatProofWithExtraData(int64(index), []byte("extra"), proof, checkpoint)
	if r.Intn(2) == 0 {
		written = torchwood.FormatProof(int64(index), proof, checkpoint)
	}
	for name, content := range map[string][]byte{"proof": written, "entry": entry, "policy": []byte(policy.String())} {
		must(0, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	parsed := must(torchwood.ParsePolicy([]byte(policy.String())))
	return torchwood.VerifyProof(parsed, tlog.RecordHash(entry), written) == nil, what
}

func main() {
	dir := os.Args[1]
	count := must(strconv.Atoi(os.Args[2]))
	seed := must(strconv.ParseInt(os.Args[3], 10, 64))
	r := rand.New(rand.NewSource(seed))
	var verdicts strings.Builder
	for i := 0; i < count; i++ {
		name := fmt.Sprintf("%04d", i)
		must(0, os.MkdirAll(filepath.Join(dir, name), 0o755))
		verdict, what := makeCase(r, filepath.Join(dir, name))
		fmt.Fprintf(&verdicts, "%s %t %s\n", name, verdict, what)
	}
	must(0, os.WriteFile(filepath.Join(dir, "verdicts"), []byte(verdicts.String()), 0o644))
}
