// The other end of yamux_peer.cpp, with the protocol's reference implementation. The same modes:
//
//	yamux_peer_go echo | send STREAMS BYTES | exchange BYTES
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
)

type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdio) Close() error                { return nil }

func check(err error, what string) {
	if err != nil && err != io.EOF {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func pattern(size int, seed uint32) []byte {
	out := make([]byte, size)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = byte(seed >> 24)
	}
	return out
}

// Answers each stream after its end of writing.
func echo(session *yamux.Session) {
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return
		}
		go func() {
			all, err := io.ReadAll(stream)
			check(err, "read")
			_, err = stream.Write(all)
			check(err, "write")
			check(stream.Close(), "close")
		}()
	}
}

// Half-closes each stream, and wants back behind that what it sent. A Read of the reference behind its own
// Close doesn't wait, so it reads when both ends have closed: `size` is a window at most.
func send(session *yamux.Session, streams, size int) {
	_, err := session.Ping()
	check(err, "ping")
	var all sync.WaitGroup
	opened := make([]*yamux.Stream, streams)
	for i := range opened {
		opened[i], err = session.OpenStream()
		check(err, "open")
		all.Add(1)
		go func(stream *yamux.Stream) {
			defer all.Done()
			_, err := stream.Write(pattern(size, stream.StreamID()))
			check(err, "write")
			check(stream.Close(), "close")
		}(opened[i])
	}
	all.Wait()
	for deadline := time.Now().Add(20 * time.Second); session.NumStreams() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "%d streams are not closed\n", session.NumStreams())
			os.Exit(1)
		}
	}
	for _, stream := range opened {
		got := make([]byte, 0, size)
		part := make([]byte, 64*1024)
		// Behind the session's end a Read that opens the window has both bytes and an error.
		for n := -1; n != 0; got = append(got, part[:n]...) {
			n, _ = stream.Read(part)
		}
		if !bytes.Equal(got, pattern(size, stream.StreamID())) {
			fmt.Fprintf(os.Stderr, "stream %d: %d other bytes came back\n", stream.StreamID(), len(got))
			os.Exit(1)
		}
	}
	fmt.Fprintf(os.Stderr, "%d streams came back\n", streams)
}

// One stream that reads to the other's end of writing before it ends its own.
func exchange(session *yamux.Session, size int) {
	stream, err := session.OpenStream()
	check(err, "open")
	sent := pattern(size, 7)
	_, err = stream.Write(sent)
	check(err, "write")
	got, err := io.ReadAll(stream)
	check(err, "read")
	if !bytes.Equal(got, sent) {
		fmt.Fprintf(os.Stderr, "%d other bytes came back\n", len(got))
		os.Exit(1)
	}
	check(stream.Close(), "close")
}

func main() {
	// The other end may be gone while the last windows are opened, and Go dies of a broken standard output.
	signal.Ignore(syscall.SIGPIPE)
	config := yamux.DefaultConfig()
	number := func(at int) int {
		n, err := strconv.Atoi(os.Args[at])
		check(err, "argument")
		return n
	}
	switch os.Args[1] {
	case "echo":
		session, err := yamux.Server(stdio{}, config)
		check(err, "server")
		echo(session)
	case "send":
		session, err := yamux.Client(stdio{}, config)
		check(err, "client")
		send(session, number(2), number(3))
	case "exchange":
		session, err := yamux.Client(stdio{}, config)
		check(err, "client")
		exchange(session, number(2))
	}
}
