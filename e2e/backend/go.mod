module steadygate.io/e2e/backend

go 1.26.0

require github.com/coder/websocket v1.8.15
