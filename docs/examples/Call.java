// Sends one request: IMPORT_URL=... IMPORT_TOKEN=... java Call.java request.json (Java 17 or later)
// Prints every failed record as a line of JSON. Exit status: 0 none failed, 1 some did, or nothing was imported.
// Left to client/import_groups.py: files of any size, a request that is too large (413), and sending records again that
// failed for now ("retryable": true). Java has no JSON parser: where your project has one, read the response by it.
import java.io.*; import java.net.*; import java.net.http.*; import java.nio.file.*; import java.time.*; import java.util.*;
class Call {
    static final java.time.format.DateTimeFormatter DATE = java.time.format.DateTimeFormatter.RFC_1123_DATE_TIME;
    public static void main(String[] args) throws Exception { // The file is sent as it is.
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("IMPORT_URL"))).timeout(Duration.ofSeconds(35))
            .header("X-Token", System.getenv("IMPORT_TOKEN")).header("Content-Type", "application/json")
            .header("Idempotency-Key", "" + UUID.randomUUID()).POST(HttpRequest.BodyPublishers.ofFile(Path.of(args[0]))).build();
        String status = "", content = "", retryAfter = ""; // Of a client that follows no redirect.
        for (int attempt = 0; attempt < 10; attempt++) {
            try {
                HttpResponse<String> response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
                status = "" + response.statusCode();
                content = response.body();
                retryAfter = response.headers().firstValue("Retry-After").orElse("");
            } catch (IOException error) {
                status = "0: " + error;
            }
            if (!status.matches("201|408|425|429|5..|0: .*")) break;
            long pause = 1000 * seconds(retryAfter) + 500 + (long) (1000 * Math.random() * Math.min(1 << attempt, 30));
            System.err.printf("status %s; again in %d ms%n", status, pause);
            Thread.sleep(pause); // Then the same, with the same key.
        }
        boolean isResult = status.equals("200") && content.contains("\"importFailNum\"");
        String[] parts = content.split("\"errorData\"\\s*:\\s*\\[", isResult ? 2 : 1);
        int depth = parts.length - 1, place = 0;
        for (boolean inText = false, escaped = false; depth > 0 && place < parts[1].length(); place++) {
            char c = parts[1].charAt(place); // In ASCII, for any console.
            inText ^= c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            depth += inText ? 0 : c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
            if (depth > 1 || c == '}') System.out.print(depth == 1 ? "}\n" : c < 128 ? "" + c : String.format("\\u%04x", (int) c));
        }
        if (!(isResult &= depth == 0)) System.err.println("status " + status + ", no result (if 200, check IMPORT_URL): " + content);
        System.exit(isResult && content.matches("(?s).*\"importFailNum\"\\s*:\\s*0\\b.*") ? 0 : 1);
    }
    static long seconds(String after) { // A number or a date; a wrong clock must not stop the program for hours.
        if (after.matches("\\d+")) return after.length() > 9 ? 60 : Math.min(Long.parseLong(after), 60);
        try { return Math.min(Math.max(Duration.between(Instant.now(), Instant.from(DATE.parse(after))).toSeconds() + 1, 0), 60); }
        catch (DateTimeException error) { return 0; }
    }
}
