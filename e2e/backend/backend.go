package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// backend answers every request, and is the state that requests can change.
type backend struct {
	pod, namespace  string
	healthz, readyz atomic.Int64
	sessions        sessions
	routes          *http.ServeMux
}

func newBackend(healthz, readyz int) *backend {
	b := &backend{pod: os.Getenv("POD_NAME"), namespace: os.Getenv("POD_NAMESPACE"), routes: http.NewServeMux()}
	if b.pod == "" {
		b.pod, _ = os.Hostname()
	}
	b.healthz.Store(int64(healthz))
	b.readyz.Store(int64(readyz))
	b.routes.HandleFunc("/healthz", reply(&b.healthz))
	b.routes.HandleFunc("/readyz", reply(&b.readyz))
	b.routes.HandleFunc("POST /control/healthz", control(&b.healthz))
	b.routes.HandleFunc("POST /control/readyz", control(&b.readyz))
	b.routes.HandleFunc("/sessions", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, b.sessions.count()) })
	b.routes.HandleFunc("/slow", b.slow)
	b.routes.HandleFunc("/status/{status}", b.status)
	b.routes.HandleFunc("/bytes", bytes)
	b.routes.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { b.tell(w, r, http.StatusOK) })
	return b
}

// ServeHTTP takes a WebSocket handshake on any path, and routes the rest.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		b.routes.ServeHTTP(w, r)
		return
	}
	// Whom browsers may connect from is not what is tested here.
	options := &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{"chat"}}
	connection, err := websocket.Accept(w, r, options)
	if err != nil {
		return // Accept has answered
	}
	connection.SetReadLimit(-1)
	b.sessions.echo(connection, b.pod)
}

// tell answers with who this is and what it received.
func (b *backend) tell(w http.ResponseWriter, r *http.Request, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"pod": b.pod, "namespace": b.namespace, "method": r.Method, "path": r.RequestURI, "host": r.Host,
		"proto": r.Proto, "tls": r.TLS != nil, "headers": r.Header,
	})
}

// slow answers after `ms` milliseconds.
func (b *backend) slow(w http.ResponseWriter, r *http.Request) {
	if number, ok := parameter(w, r, "ms"); ok {
		select {
		case <-time.After(time.Duration(number) * time.Millisecond):
			b.tell(w, r, http.StatusOK)
		case <-r.Context().Done():
		}
	}
}

func (b *backend) status(w http.ResponseWriter, r *http.Request) {
	status, err := strconv.Atoi(r.PathValue("status"))
	if err != nil || status < 200 || status > 599 {
		http.Error(w, "a status from 200 to 599", http.StatusBadRequest)
		return
	}
	b.tell(w, r, status)
}

// bytes answers with a body of `n` bytes.
func bytes(w http.ResponseWriter, r *http.Request) {
	if number, ok := parameter(w, r, "n"); ok {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(number, 10))
		_, _ = io.CopyN(w, rand.Reader, number)
	}
}

func reply(status *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
	}
}

// control sets what a health check answers from now on.
func control(status *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if number, ok := parameter(w, r, "status"); ok {
			status.Store(min(max(number, 200), 599))
		}
	}
}

// parameter is a number in the query; without one it answers 400.
func parameter(w http.ResponseWriter, r *http.Request, name string) (int64, bool) {
	number, err := strconv.ParseUint(r.URL.Query().Get(name), 10, 32)
	if err != nil {
		http.Error(w, name+": a number that is not negative", http.StatusBadRequest)
	}
	return int64(number), err == nil
}
