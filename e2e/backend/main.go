// Command backend is what the end-to-end tests put behind the gateway: it tells who it is and what it received, echoes
// WebSocket messages, and fails its health checks or ends in the way it is told.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	httpAddress := flag.String("http", ":8080", "address to serve HTTP at")
	httpsAddress := flag.String("https", "", "address to serve HTTPS at; none if empty")
	certificate := flag.String("tls-cert", "/tls/tls.crt", "certificate for HTTPS")
	key := flag.String("tls-key", "/tls/tls.key", "key for HTTPS")
	healthz := flag.Int("healthz", http.StatusOK, "first status of /healthz")
	readyz := flag.Int("readyz", http.StatusOK, "first status of /readyz")
	onTerm := flag.String("on-term", "exit", "what SIGTERM does: exit at once | close (say 1001 to sessions, then exit) | "+
		"wait:SECONDS (serve for so long, not ready, then exit)")
	flag.Parse()

	wait, err := parseOnTerm(*onTerm)
	if err != nil {
		log.Fatal(err)
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGINT)

	backend := newBackend(*healthz, *readyz)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: backend, Protocols: protocols}
	// Read at every handshake: a Secret that is renewed is used without a restart.
	server.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(*certificate, *key)
		return &pair, err
	}}
	go func() { log.Fatal(server.Serve(listen(*httpAddress))) }()
	if *httpsAddress != "" {
		go func() { log.Fatal(server.ServeTLS(listen(*httpsAddress), "", "")) }()
	}
	log.Printf("%s serves %s %s", backend.pod, *httpAddress, *httpsAddress)

	<-terminated
	log.Printf("%s was told to end: %s", backend.pod, *onTerm)
	switch {
	case *onTerm == "close":
		backend.sessions.closeAll()
	case wait > 0:
		backend.readyz.Store(http.StatusServiceUnavailable)
		time.Sleep(wait)
	}
}

// parseOnTerm checks the value of -on-term and returns how long to go on.
func parseOnTerm(value string) (time.Duration, error) {
	if value == "exit" || value == "close" {
		return 0, nil
	}
	seconds, found := strings.CutPrefix(value, "wait:")
	number, err := strconv.ParseFloat(seconds, 64)
	if !found || err != nil || number <= 0 {
		return 0, fmt.Errorf("-on-term: exit, close or wait:SECONDS, not %q", value)
	}
	return time.Duration(number * float64(time.Second)), nil
}

func listen(address string) net.Listener {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	return listener
}
