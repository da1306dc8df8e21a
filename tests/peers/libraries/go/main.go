// Command peer is the peer of github.com/coder/websocket, and of github.com/moby/spdystream for `kubectl exec`'s protocol.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/coder/websocket"
)

type told map[string]any

var printing sync.Mutex

func tell(session string, what told) {
	line := told{"session": session}
	for name, value := range what {
		line[name] = value
	}
	text, _ := json.Marshal(line)
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(text))
}

// closing is what an error of a read says about the end of the session.
func closing(err error) told {
	var frame websocket.CloseError
	if errors.As(err, &frame) {
		return told{"code": int(frame.Code), "reason": frame.Reason}
	}
	return told{"code": 1006, "reason": ""}
}

func main() {
	switch os.Args[1] {
	case "server":
		serve()
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "http-server":
		orFail(serveHTTP())
	case "spdy-server":
		orFail(serveSpdy())
	case "spdy-client":
		orFail(runSpdyClient(os.Args[2], os.Args[3]))
	default:
		runClient(os.Args[2], os.Args[3], os.Args[4:])
	}
}
