package main

import (
	"context"
	"sync"

	"github.com/coder/websocket"
)

// sessions are the WebSocket connections that live.
type sessions struct{ live sync.Map }

// echo sends back each message until an end closes; to the text "whoami" it answers with the pod's name.
func (s *sessions) echo(connection *websocket.Conn, pod string) {
	s.live.Store(connection, nil)
	defer s.live.Delete(connection)
	defer connection.CloseNow()
	for ctx := context.Background(); ; {
		kind, message, err := connection.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageText && string(message) == "whoami" {
			message = []byte(pod)
		}
		if connection.Write(ctx, kind, message) != nil {
			return
		}
	}
}

// closeAll sends Close 1001 to every session and waits for the answers, 5 s at most.
func (s *sessions) closeAll() {
	var closing sync.WaitGroup
	s.live.Range(func(connection, _ any) bool {
		closing.Go(func() { _ = connection.(*websocket.Conn).Close(websocket.StatusGoingAway, "backend ends") })
		return true
	})
	closing.Wait()
}

func (s *sessions) count() (count int) {
	s.live.Range(func(_, _ any) bool { count++; return true })
	return count
}
