// Imports the records of a request file and resends those that may succeed later. Needs Java 17 or later.
// IMPORT_URL=https://.../api/integrate/audience/info/batchAdd IMPORT_TOKEN=... java ImportGroups.java request.json

import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

public class ImportGroups {
    static final int BATCH = 1000;
    static final int ATTEMPTS = 8;
    static final HttpClient HTTP = HttpClient.newHttpClient();

    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    int imported = 0;
    int failed = 0;
    boolean dryRun = false;

    public static void main(String[] args) throws Exception {
        Map<String, String> request = Json.members(Files.readString(Path.of(args[0])));
        List<String> records = Json.elements(request.get("data"));
        ImportGroups groups = new ImportGroups();
        for (int start = 0; start < records.size(); start += BATCH) {
            int end = Math.min(start + BATCH, records.size());
            groups.importRecords(request.get("publicParams"), records.subList(start, end));
        }
        String summary = groups.dryRun ? "dry run: would import" : "imported";
        System.err.printf("%s %d, failed %d%n", summary, groups.imported, groups.failed);
        System.exit(groups.failed == 0 ? 0 : 1);
    }

    /** Imports one batch. */
    void importRecords(String params, List<String> records) throws InterruptedException {
        List<String> left = new ArrayList<>();
        for (int attempt = 0; attempt < ATTEMPTS && !records.isEmpty(); attempt++) {
            if (attempt > 0) {
                Thread.sleep(1000L * pause(attempt - 1));
            }
            String body = "{\"publicParams\":" + params + ",\"data\":[" + String.join(",", records) + "]}";
            Map<String, String> result = Json.members(post(body));
            imported += Integer.parseInt(result.get("importSuccessNum"));
            dryRun = "true".equals(result.get("dryRun"));
            records = new ArrayList<>();
            for (String error : Json.elements(result.get("errorData"))) {
                Map<String, String> record = Json.members(error);
                // The record's place in the body sent, not in the file.
                record.remove("index");
                boolean retryable = record.get("retryable").equals("true");
                (retryable ? records : left).add(Json.object(record));
            }
        }
        left.addAll(records);
        left.forEach(OUT::println);
        failed += left.size();
    }

    /** Posts a body until the import has ended, and returns its result. */
    String post(String body) throws InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("IMPORT_URL")))
                .header("Content-Type", "application/json")
                .header("X-Token", System.getenv("IMPORT_TOKEN"))
                .header("Idempotency-Key", UUID.randomUUID().toString())
                .timeout(Duration.ofSeconds(60))
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        Object last = null;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            long seconds = pause(attempt);
            try {
                HttpResponse<String> response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
                int status = response.statusCode();
                if (status == 200) {
                    return Json.members(response.body()).get("data");
                }
                if (status >= 400 && status < 500 && status != 429) {
                    System.err.println("rejected: " + status + " " + response.body());
                    System.exit(1);
                }
                last = status;
                seconds = response.headers().firstValueAsLong("Retry-After").orElse(seconds);
            } catch (IOException error) {
                last = error;
            }
            // The same request with the same key.
            Thread.sleep(1000 * seconds);
        }
        System.err.println("no result after " + ATTEMPTS + " attempts, last: " + last);
        System.exit(1);
        return null;
    }

    static long pause(int attempt) {
        return Math.min(1L << attempt, 30);
    }

    /** Takes JSON apart and leaves the parts as text, so that values stay exactly as they were. */
    static class Json {
        static final Pattern MEMBER =
                Pattern.compile("\"([^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+)\"\\s*:\\s*(.*)", Pattern.DOTALL);

        /** The elements of an array; none of null. */
        static List<String> elements(String array) {
            return array.equals("null") ? List.of() : parts(array);
        }

        /** The members of an object by their names, in order. */
        static Map<String, String> members(String object) {
            Map<String, String> members = new LinkedHashMap<>();
            for (String part : parts(object)) {
                Matcher member = MEMBER.matcher(part);
                if (!member.matches()) {
                    throw new IllegalArgumentException("not a JSON object");
                }
                members.put(member.group(1), member.group(2));
            }
            return members;
        }

        /** The object of these members. */
        static String object(Map<String, String> members) {
            return members.entrySet().stream()
                    .map(member -> "\"" + member.getKey() + "\":" + member.getValue())
                    .collect(Collectors.joining(",", "{", "}"));
        }

        /** What stands between the commas of an object or array, but not of those inside it. */
        static List<String> parts(String json) {
            String text = json.strip();
            List<String> parts = new ArrayList<>();
            int depth = 0;
            int start = 1;
            boolean quoted = false;
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                if (quoted) {
                    if (c == '\\') {
                        i++;
                    } else if (c == '"') {
                        quoted = false;
                    }
                    continue;
                }
                if (c == '"') {
                    quoted = true;
                } else if (c == '{' || c == '[') {
                    depth++;
                } else if (c == '}' || c == ']') {
                    depth--;
                }
                if (depth == 0 || depth == 1 && c == ',') {
                    String part = text.substring(start, Math.max(start, i)).strip();
                    if (!part.isEmpty()) {
                        parts.add(part);
                    }
                    start = i + 1;
                }
            }
            if (depth != 0) {
                throw new IllegalArgumentException("not JSON");
            }
            return parts;
        }
    }
}
