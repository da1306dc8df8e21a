import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.Callback;

/** Jetty as an HTTP server that tells how it has read each request. */
final class HttpServer {
    static void serve() throws Exception {
        Server server = new Server();
        ServerConnector connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        server.addConnector(connector);
        server.setHandler(new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) throws Exception {
                Map<String, String> told = new LinkedHashMap<>();
                told.put("client", Optional.ofNullable(request.getHeaders().get("X-Forwarded-For")).orElse(""));
                told.put("method", request.getMethod());
                // Jetty has read its bytes as UTF-8.
                byte[] target = request.getHttpURI().getPathQuery().getBytes(StandardCharsets.UTF_8);
                told.put("target", new String(target, StandardCharsets.ISO_8859_1));
                told.put("body", Content.Source.asString(request, StandardCharsets.ISO_8859_1));
                Peer.print(told);
                callback.succeeded();
                return true;
            }
        });
        server.start();
        System.out.println(connector.getLocalPort());
    }

    private HttpServer() {
    }
}
