// tlogcheck checks a log of ours with the tlog and note packages of the Go project, which share no code with it.
//
//	tlogcheck -key VKEY -url URL [-proof FILE]... [-old SIZE]
//
// It opens the checkpoint, reads tiles as C2SP tlog-tiles lays them out, proves a spread of records and the consistency
// with earlier sizes, and verifies .tlog-proof files. One line for what holds; exit status 1 at the first thing that
// does not.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type files []string

func (f *files) String() string     { return strings.Join(*f, ",") }
func (f *files) Set(s string) error { *f = append(*f, s); return nil }

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func fetch(url string) ([]byte, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return nil, fmt.Errorf("%s: %s", url, res.Status)
	}
	return io.ReadAll(res.Body)
}

// A checkpoint's tree: origin, size, root.
func open(text []byte, verifier note.Verifier) (tlog.Tree, error) {
	n, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 3 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

// Tiles over HTTP: the Go checksum database puts the height into the path, tlog-tiles does not.
type tiles struct{ url string }

func (t *tiles) Height() int                     { return 8 }
func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t *tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range list {
		data, err := fetch(t.url + "/" + strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

func entryPath(index, size int64) string {
	tile := tlog.Tile{H: 8, L: 0, N: index / 256, W: 256}
	if (tile.N+1)*256 > size {
		tile.W = int(size % 256)
	}
	return strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
}

func entry(url string, index, size int64) ([]byte, error) {
	bundle, err := fetch(url + "/" + entryPath(index, size))
	for i := int64(0); err == nil; i++ {
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			return nil, fmt.Errorf("bundle of entry %d is cut off", index)
		}
		length := int(binary.BigEndian.Uint16(bundle))
		if i == index%256 {
			return bundle[2 : 2+length], nil
		}
		bundle = bundle[2+length:]
	}
	return nil, err
}

func checkProof(file, url string, verifier note.Verifier) {
	text, err := os.ReadFile(file)
	check(err, file)
	head, rest, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		check(fmt.Errorf("no tlog-proof"), file)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	check(err, file)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		raw, err := base64.StdEncoding.DecodeString(line)
		check(err, file)
		var hash tlog.Hash
		copy(hash[:], raw)
		proof = append(proof, hash)
	}
	tree, err := open(rest, verifier)
	check(err, file)
	data, err := entry(url, index, tree.N)
	check(err, file)
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(data)), file)
	fmt.Printf("%s: entry %d is in the tree of %d\n", file, index, tree.N)
}

func main() {
	var proofs files
	key := flag.String("key", "", "verifier key of the log")
	url := flag.String("url", "", "base of the log")
	flag.Var(&proofs, "proof", "a .tlog-proof file; may be repeated")
	flag.Parse()
	verifier, err := note.NewVerifier(*key)
	check(err, "key")
	text, err := fetch(*url + "/checkpoint")
	check(err, "checkpoint")
	tree, err := open(text, verifier)
	check(err, "checkpoint")
	reader := tlog.TileHashReader(tree, &tiles{*url})
	for i := int64(0); i < 32; i++ {
		index := i * (tree.N - 1) / 31
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		check(err, fmt.Sprintf("prove %d", index))
		data, err := entry(*url, index, tree.N)
		check(err, fmt.Sprintf("entry %d", index))
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(data)), fmt.Sprintf("entry %d", index))
	}
	for old := tree.N; old > 0; old = old / 3 {
		root, err := tlog.TreeHash(old, reader)
		check(err, fmt.Sprintf("root of %d", old))
		proof, err := tlog.ProveTree(tree.N, old, reader)
		check(err, fmt.Sprintf("consistency with %d", old))
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old, root), fmt.Sprintf("consistency with %d", old))
	}
	for _, file := range proofs {
		checkProof(file, *url, verifier)
	}
	fmt.Printf("size %d root %s\n", tree.N, tree.Hash)
}
