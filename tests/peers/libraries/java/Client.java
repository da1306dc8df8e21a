import java.io.FileInputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.client.ClientUpgradeRequest;
import org.eclipse.jetty.websocket.client.WebSocketClient;

/** All sessions of the client, one after the other. */
final class Client {
    private interface Steps {
        Map<String, ?> run(Talk talk) throws Exception;
    }

    private static final Map<String, Steps> SESSIONS = new HashMap<>();

    static {
        SESSIONS.put("echo", talk -> {
            String text = talk.ask("å ∀ 🙂");
            int count = talk.echoed(100_000);
            return Map.of("subprotocol", talk.subprotocol(), "deflate", talk.deflate(), "text", text, "bytes", count);
        });
        SESSIONS.put("fragments", talk -> {
            Peer.sendInFrames(talk.getSession(), "in ", "three ", "frames");
            String whole = talk.next(String.class);
            return Map.of("whole", whole, "parts", talk.ask("fragments"));
        });
        SESSIONS.put("pings", talk -> {
            talk.getSession().sendPing(ByteBuffer.wrap("are you there".getBytes()), Callback.NOOP);
            boolean pong = talk.pong.get(10, TimeUnit.SECONDS).equals("are you there");
            return Map.of("pong", pong, "asked", talk.ask("ping"));
        });
        SESSIONS.put("deflated", talk -> Map.of("deflate", talk.deflate(), "bytes", talk.echoed(Peer.MIB)));
        SESSIONS.put("large", talk -> Map.of("bytes", talk.echoed(64 * Peer.MIB)));
        SESSIONS.put("client-closes", talk -> {
            talk.getSession().close(4001, "enough", Callback.NOOP);
            return talk.closed();
        });
        SESSIONS.put("server-closes", talk -> {
            talk.say("close 4002 go away now");
            return talk.closed();
        });
        SESSIONS.put("server-aborts", talk -> {
            talk.say("abort");
            return Map.of("code", talk.closed().get("code"));
        });
        SESSIONS.put("client-aborts", talk -> {
            String text = talk.ask("I am here");
            talk.getSession().disconnect();
            return Map.of("text", text);
        });
        SESSIONS.put("waits", talk -> {
            talk.ask("I am here");
            return talk.closed();
        });
    }

    private final String url;
    private final WebSocketClient client;

    Client(String url, String ca) throws Exception {
        SslContextFactory.Client tls = new SslContextFactory.Client();
        if (!ca.isEmpty()) {
            KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
            roots.load(null);
            try (FileInputStream file = new FileInputStream(ca)) {
                roots.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
            }
            tls.setTrustStore(roots);
        }
        HttpClient http = new HttpClient();
        http.setSslContextFactory(tls);
        this.url = url;
        client = new WebSocketClient(http);
        client.setMaxBinaryMessageSize(-1);
        client.setMaxFrameSize(-1);
        client.start();
    }

    void run(List<String> names) {
        for (String name : names) {
            try {
                Peer.tell(name, one(name, SESSIONS.get(name)));
            } catch (Exception problem) {
                Peer.tell(name, Map.of("error", problem));
            }
        }
    }

    private Map<String, ?> one(String name, Steps steps) throws Exception {
        ClientUpgradeRequest request = new ClientUpgradeRequest(URI.create(url + "/" + name));
        if (name.equals("echo")) {
            request.setSubProtocols("chat", "superchat");
        }
        if (name.equals("echo") || name.equals("deflated")) {
            request.addExtensions("permessage-deflate");
        }
        Talk talk = new Talk();
        Session session = client.connect(talk, request).get(10, TimeUnit.SECONDS);
        Map<String, ?> told = steps.run(talk);
        session.close(1000, "done", Callback.NOOP);
        talk.closed();
        return told;
    }

    /** One session: what comes is put by for the steps. */
    public static final class Talk extends Session.Listener.AbstractAutoDemanding {
        private final BlockingQueue<Object> messages = new ArrayBlockingQueue<>(4);
        final CompletableFuture<String> pong = new CompletableFuture<>();
        private final CompletableFuture<Map<String, Object>> closed = new CompletableFuture<>();

        void say(String text) {
            getSession().sendText(text, Callback.NOOP);
        }

        String ask(String text) throws Exception {
            say(text);
            return next(String.class);
        }

        <T> T next(Class<T> kind) throws Exception {
            Object message = messages.poll(40, TimeUnit.SECONDS);
            if (!kind.isInstance(message)) {
                throw new IllegalStateException("instead of a message: " + (message == null ? "40 s are over" : message));
            }
            return kind.cast(message);
        }

        int echoed(int count) throws Exception {
            byte[] sent = new byte[count];
            for (int at = 0; at < count; at++) {
                sent[at] = (byte) (at + at / 251);
            }
            getSession().sendBinary(ByteBuffer.wrap(sent), Callback.NOOP);
            ByteBuffer answer = next(ByteBuffer.class);
            if (!answer.equals(ByteBuffer.wrap(sent))) {
                throw new IllegalStateException(answer.remaining() + " bytes that are not the " + count + " sent");
            }
            return answer.remaining();
        }

        String subprotocol() {
            return String.valueOf(getSession().getUpgradeResponse().getAcceptedSubProtocol());
        }

        boolean deflate() {
            return getSession().getUpgradeResponse().getExtensions().stream()
                .anyMatch(extension -> extension.getName().equals("permessage-deflate"));
        }

        Map<String, Object> closed() throws Exception {
            return closed.get(40, TimeUnit.SECONDS);
        }

        @Override
        public void onWebSocketText(String text) {
            messages.add(text);
        }

        @Override
        public void onWebSocketBinary(ByteBuffer payload, Callback callback) {
            messages.add(ByteBuffer.allocate(payload.remaining()).put(payload).flip());
            callback.succeed();
        }

        @Override
        public void onWebSocketPong(ByteBuffer payload) {
            pong.complete(java.nio.charset.StandardCharsets.UTF_8.decode(payload).toString());
        }

        @Override
        public void onWebSocketClose(int code, String reason, Callback callback) {
            closed.complete(Map.of("code", code, "reason", reason == null ? "" : reason));
            messages.offer("closed with " + code);
            callback.succeed();
        }

        @Override
        public void onWebSocketError(Throwable cause) {
            // The close that follows tells.
        }
    }
}
