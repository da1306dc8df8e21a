package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/coder/websocket"
)

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() { log.Fatal(http.Serve(listener, http.HandlerFunc(accept))) }()
}

func accept(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		return
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		Subprotocols:       []string{"chat", "superchat"},
		CompressionMode:    websocket.CompressionContextTakeover,
	})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	if err := talk(r.Context(), c); err != nil {
		tell(r.URL.Path, closing(err))
	}
}

// talk ends with the client's end, or with nil after its own.
func talk(ctx context.Context, c *websocket.Conn) error {
	for {
		kind, message, err := c.Read(ctx)
		if err != nil {
			return err
		}
		words := []string{""}
		if kind == websocket.MessageText {
			words = strings.SplitN(string(message), " ", 3)
		}
		switch words[0] {
		case "fragments":
			err = inFrames(ctx, c, "one ", "two ", "three")
		case "ping":
			// A pong is found by a read, which the ping runs beside.
			go func() {
				if c.Ping(ctx) == nil {
					_ = c.Write(ctx, websocket.MessageText, []byte("pong"))
				}
			}()
		case "close":
			code, _ := strconv.Atoi(words[1])
			_ = c.Close(websocket.StatusCode(code), words[2])
			return nil
		case "abort":
			_ = c.CloseNow()
			return nil
		default:
			err = c.Write(ctx, kind, message)
		}
		if err != nil {
			return err
		}
	}
}

func inFrames(ctx context.Context, c *websocket.Conn, parts ...string) error {
	w, err := c.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := w.Write([]byte(part)); err != nil {
			return err
		}
	}
	return w.Close()
}
