import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.Session;

/** The peer of Jetty. */
public final class Peer {
    static final int MIB = 1024 * 1024;

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("server")) {
            EchoServer.serve();
            System.in.transferTo(java.io.OutputStream.nullOutputStream());
        } else if (arguments[0].equals("http-server")) {
            HttpServer.serve();
            System.in.transferTo(java.io.OutputStream.nullOutputStream());
        } else {
            new Client(arguments[1], arguments[2]).run(List.of(arguments).subList(3, arguments.length));
        }
        System.exit(0);
    }

    static void tell(String session, Map<String, ?> what) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("session", session);
        line.putAll(what);
        print(line);
    }

    static synchronized void print(Map<String, ?> line) {
        System.out.println(line.entrySet().stream()
            .map(entry -> quoted(entry.getKey()) + ": " + json(entry.getValue()))
            .collect(Collectors.joining(", ", "{", "}")));
    }

    private static String json(Object value) {
        return value instanceof Number || value instanceof Boolean ? value.toString() : quoted(String.valueOf(value));
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char each : text.toCharArray()) {
            boolean plain = each > 0x1f && each < 0x7f && each != '"' && each != '\\';
            quoted.append(plain ? each : String.format("\\u%04x", (int) each));
        }
        return quoted.append('"').toString();
    }

    /** A text in three frames. */
    static void sendInFrames(Session session, String first, String second, String third) {
        session.sendPartialText(first, false, Callback.from(
            () -> session.sendPartialText(second, false, Callback.from(
                () -> session.sendPartialText(third, true, Callback.NOOP), Throwable::printStackTrace)),
            Throwable::printStackTrace));
    }
}
