import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

/** One session of the server. */
public final class EchoServer extends Session.Listener.AbstractAutoDemanding {
    private static final List<String> KNOWN = List.of("chat", "superchat");
    private final String path;
    private volatile boolean ours;

    private EchoServer(String path) {
        this.path = path;
    }

    static void serve() throws Exception {
        Server server = new Server();
        ServerConnector connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        server.addConnector(connector);
        WebSocketUpgradeHandler upgrade = WebSocketUpgradeHandler.from(server, container -> {
            container.setMaxBinaryMessageSize(-1);
            container.setMaxFrameSize(-1);
            container.setIdleTimeout(Duration.ofMinutes(2));
            container.addMapping("/*", (request, response, callback) -> {
                request.getSubProtocols().stream().filter(KNOWN::contains).findFirst()
                    .ifPresent(response::setAcceptedSubProtocol);
                return new EchoServer(Request.getPathInContext(request));
            });
        });
        upgrade.setHandler(new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, org.eclipse.jetty.util.Callback callback) {
                callback.succeeded();
                return true;
            }
        });
        server.setHandler(upgrade);
        server.start();
        System.out.println(connector.getLocalPort());
    }

    @Override
    public void onWebSocketText(String text) {
        Session session = getSession();
        String[] words = text.split(" ", 3);
        switch (words[0]) {
            case "fragments" -> Peer.sendInFrames(session, "one ", "two ", "three");
            case "ping" -> session.sendPing(ByteBuffer.wrap("are you there".getBytes()), Callback.NOOP);
            case "close" -> {
                ours = true;
                session.close(Integer.parseInt(words[1]), words[2], Callback.NOOP);
            }
            case "abort" -> {
                ours = true;
                session.disconnect();
            }
            default -> session.sendText(text, Callback.NOOP);
        }
    }

    @Override
    public void onWebSocketPong(ByteBuffer payload) {
        getSession().sendText("pong", Callback.NOOP);
    }

    @Override
    public void onWebSocketBinary(ByteBuffer payload, Callback callback) {
        getSession().sendBinary(payload, callback);
    }

    @Override
    public void onWebSocketClose(int code, String reason, Callback callback) {
        if (!ours) {
            Peer.tell(path, Map.of("code", code, "reason", reason == null ? "" : reason));
        }
        callback.succeed();
    }

    @Override
    public void onWebSocketError(Throwable cause) {
        // The close that follows tells.
    }
}
