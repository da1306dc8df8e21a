package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"
)

const mib = 1024 * 1024

// session is one connection of the client.
type session struct {
	*websocket.Conn
	ctx     context.Context
	deflate bool
}

var sessions = map[string]func(*session) (told, error){
	"echo":          echo,
	"fragments":     fragments,
	"pings":         pings,
	"deflated":      deflated,
	"large":         large,
	"client-closes": clientCloses,
	"server-closes": serverCloses,
	"server-aborts": serverAborts,
	"client-aborts": clientAborts,
	"waits":         waits,
}

func runClient(url, ca string, names []string) {
	roots := x509.NewCertPool()
	if ca != "" {
		pem, _ := os.ReadFile(ca)
		roots.AppendCertsFromPEM(pem)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	for _, name := range names {
		what, err := one(client, url, name)
		if err != nil {
			what = told{"error": err.Error()}
		}
		tell(name, what)
	}
}

func one(client *http.Client, url, name string) (told, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	options := &websocket.DialOptions{HTTPClient: client}
	if name == "echo" {
		options.Subprotocols = []string{"chat", "superchat"}
	}
	if name == "echo" || name == "deflated" {
		options.CompressionMode = websocket.CompressionContextTakeover
	}
	c, response, err := websocket.Dial(ctx, url+"/"+name, options)
	if err != nil {
		return nil, err
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	extensions := response.Header.Get("Sec-WebSocket-Extensions")
	what, err := sessions[name](&session{c, ctx, strings.Contains(extensions, "permessage-deflate")})
	if err == nil {
		_ = c.Close(websocket.StatusNormalClosure, "done") // nothing happens where it is closed already
	}
	return what, err
}

func (s *session) next() (string, error) {
	_, message, err := s.Read(s.ctx)
	return string(message), err
}

func (s *session) ask(text string) (string, error) {
	if err := s.Write(s.ctx, websocket.MessageText, []byte(text)); err != nil {
		return "", err
	}
	return s.next()
}

func (s *session) echoed(count int) (int, error) {
	sent := make([]byte, count)
	for at := range sent {
		sent[at] = byte(at + at/251)
	}
	// Who writes must read as well: the echo may begin before all is sent.
	failed := make(chan error, 1)
	go func() { failed <- s.Write(s.ctx, websocket.MessageBinary, sent) }()
	_, answer, err := s.Read(s.ctx)
	if err == nil {
		err = <-failed
	}
	if err == nil && !bytes.Equal(answer, sent) {
		err = fmt.Errorf("%d bytes that are not the %d sent", len(answer), count)
	}
	return len(answer), err
}

func echo(s *session) (told, error) {
	text, err := s.ask("å ∀ 🙂")
	if err != nil {
		return nil, err
	}
	count, err := s.echoed(100_000)
	return told{"subprotocol": s.Subprotocol(), "deflate": s.deflate, "text": text, "bytes": count}, err
}

func fragments(s *session) (told, error) {
	if err := inFrames(s.ctx, s.Conn, "in ", "three ", "frames"); err != nil {
		return nil, err
	}
	whole, err := s.next()
	if err != nil {
		return nil, err
	}
	parts, err := s.ask("fragments")
	return told{"whole": whole, "parts": parts}, err
}

func pings(s *session) (told, error) {
	ponged := make(chan error, 1)
	go func() {
		ponged <- s.Ping(s.ctx)
		_ = s.Write(s.ctx, websocket.MessageText, []byte("ping"))
	}()
	asked, err := s.next()
	if err != nil {
		return nil, err
	}
	return told{"pong": true, "asked": asked}, <-ponged
}

func deflated(s *session) (told, error) {
	count, err := s.echoed(mib)
	return told{"deflate": s.deflate, "bytes": count}, err
}

func large(s *session) (told, error) {
	count, err := s.echoed(64 * mib)
	return told{"bytes": count}, err
}

// clientCloses: this library's Close answers nil only if the peer's Close had the same code.
func clientCloses(s *session) (told, error) {
	if err := s.Close(4001, "enough"); err != nil {
		return closing(err), nil
	}
	return told{"code": 4001, "reason": "enough"}, nil
}

func serverCloses(s *session) (told, error) {
	_, err := s.ask("close 4002 go away now")
	return closing(err), nil
}

func serverAborts(s *session) (told, error) {
	_, err := s.ask("abort")
	return told{"code": closing(err)["code"]}, nil
}

func clientAborts(s *session) (told, error) {
	text, err := s.ask("I am here")
	_ = s.CloseNow()
	return told{"text": text}, err
}

func waits(s *session) (told, error) {
	if _, err := s.ask("I am here"); err != nil {
		return nil, err
	}
	_, err := s.next()
	return closing(err), nil
}
