package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/moby/spdystream"
)

const spdy = "SPDY/3.1"

// serveSpdy switches each POST to SPDY/3.1, as the API server and the kubelet do, and echoes each stream. All else is answered 200.
func serveSpdy() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Upgrade") != spdy {
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", spdy)
		w.WriteHeader(http.StatusSwitchingProtocols)
		stream, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		connection, err := spdystream.NewConnection(stream, true)
		if err == nil {
			connection.Serve(spdystream.MirrorStreamHandler)
		}
	}))
}

// upgraded is a connection whose first bytes may have been read with the head of the answer.
type upgraded struct {
	net.Conn
	read *bufio.Reader
}

func (u upgraded) Read(p []byte) (int, error) { return u.read.Read(p) }

// dialSpdy asks for SPDY/3.1 as `kubectl exec` does.
func dialSpdy(address, path string) (*spdystream.Connection, error) {
	stream, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", spdy)
	if err = request.Write(stream); err != nil {
		return nil, err
	}
	read := bufio.NewReader(stream)
	answer, err := http.ReadResponse(read, request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("%s", answer.Status)
	}
	return spdystream.NewConnection(upgraded{stream, read}, false)
}

// runSpdyClient has each of two streams of one session echo its own bytes, and tells how many came back the same.
func runSpdyClient(address, path string) error {
	connection, err := dialSpdy(address, path)
	if err != nil {
		return err
	}
	go connection.Serve(spdystream.NoOpStreamHandler)
	counts := make([]int, 2)
	failed := make(chan error)
	for number := range counts {
		go func() {
			var err error
			counts[number], err = echoed(connection, byte('a'+number))
			failed <- err
		}()
	}
	for range counts {
		if err := <-failed; err != nil {
			return err
		}
	}
	tell("spdy", told{"bytes": counts})
	return connection.Close()
}

func echoed(connection *spdystream.Connection, letter byte) (int, error) {
	stream, err := connection.CreateStream(http.Header{"streamtype": {string(letter)}}, nil, false)
	if err != nil {
		return 0, err
	}
	if err := stream.Wait(); err != nil {
		return 0, err
	}
	sent := bytes.Repeat([]byte{letter}, mib)
	failed := make(chan error, 1)
	go func() {
		_, err := stream.Write(sent)
		if err == nil {
			err = stream.Close()
		}
		failed <- err
	}()
	got, err := io.ReadAll(stream)
	if err == nil {
		err = <-failed
	}
	if err == nil && !bytes.Equal(got, sent) {
		err = fmt.Errorf("%d bytes that are not the %d sent", len(got), len(sent))
	}
	return len(got), err
}

// orFail ends the program with an error, if there is one.
func orFail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
