package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
)

// serveHTTP prints its port, and a line for each request that it has read whole. Bytes are Latin-1.
func serveHTTP() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		line, _ := json.Marshal(map[string]string{
			"client": r.Header.Get("X-Forwarded-For"), "method": r.Method, "target": latin1([]byte(r.RequestURI)), "body": latin1(body),
		})
		printing.Lock()
		defer printing.Unlock()
		fmt.Println(string(line))
	}))
}

func latin1(bytes []byte) string {
	runes := make([]rune, len(bytes))
	for at, each := range bytes {
		runes[at] = rune(each)
	}
	return string(runes)
}
