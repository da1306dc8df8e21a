module steadygate.io/tests/peers/libraries/go

go 1.23

require (
	github.com/coder/websocket v1.8.15
	github.com/moby/spdystream v0.5.0
)
