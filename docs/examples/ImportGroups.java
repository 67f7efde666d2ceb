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
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

public class ImportGroups {
    static final int BATCH = 1000;
    static final int MIN_BATCH = 50;
    static final int ATTEMPTS = 10;
    static final HttpClient HTTP = HttpClient.newHttpClient();

    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    final String params;
    int size = BATCH;
    int imported = 0;
    int failed = 0;
    boolean dryRun = false;

    ImportGroups(String params) {
        this.params = params;
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> request = Json.members(Files.readString(Path.of(args[0])));
        List<String> records = Json.elements(request.get("data"));
        ImportGroups groups = new ImportGroups(request.get("publicParams"));
        for (int start = 0, end; start < records.size(); start = end) {
            end = Math.min(start + groups.size, records.size());
            groups.importRecords(records.subList(start, end));
        }
        String summary = groups.dryRun ? "dry run: would import" : "imported";
        System.err.printf("%s %d, failed %d%n", summary, groups.imported, groups.failed);
        System.exit(groups.failed == 0 ? 0 : 1);
    }

    /** Imports one batch, and resends what failed retryably. */
    void importRecords(List<String> records) throws InterruptedException {
        List<String> left = new ArrayList<>();
        for (int attempt = 0; attempt < ATTEMPTS && !records.isEmpty(); attempt++) {
            if (attempt > 0) {
                Thread.sleep((long) (1000 * jitter(attempt - 1)));
            }
            List<String> again = new ArrayList<>();
            for (int start = 0, end; start < records.size(); start = end) {
                end = Math.min(start + size, records.size());
                for (Map<String, String> record : send(records.subList(start, end))) {
                    boolean retryable = record.get("retryable").equals("true");
                    (retryable ? again : left).add(Json.object(record));
                }
            }
            records = again;
        }
        left.addAll(records);
        left.forEach(OUT::println);
        failed += left.size();
    }

    /** Sends records by one request, and returns those that failed. */
    List<Map<String, String>> send(List<String> records) throws InterruptedException {
        String body = "{\"publicParams\":" + params + ",\"data\":[" + String.join(",", records) + "]}";
        Map<String, String> result = Json.members(post(body));
        imported += Integer.parseInt(result.get("importSuccessNum"));
        dryRun = "true".equals(result.get("dryRun"));
        List<Map<String, String>> errors = new ArrayList<>();
        boolean slow = false;
        for (String error : Json.elements(result.get("errorData"))) {
            Map<String, String> record = Json.members(error);
            // The record's place in the body sent, not in the file.
            record.remove("index");
            slow |= record.get("errorCode").equals("\"TIMEOUT\"");
            errors.add(record);
        }
        // Records ran out of time: the next requests are smaller.
        size = slow ? Math.max(size / 2, MIN_BATCH) : Math.min(size * 2, BATCH);
        return errors;
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
            double seconds = jitter(attempt);
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
                seconds += response.headers().firstValueAsLong("Retry-After").orElse(0);
            } catch (IOException error) {
                last = error;
            }
            // The same request with the same key.
            Thread.sleep((long) (1000 * seconds));
        }
        System.err.println("no result after " + ATTEMPTS + " attempts, last: " + last);
        System.exit(1);
        return null;
    }

    /** Random, so that many callers do not come back at the same moment. */
    static double jitter(int attempt) {
        return ThreadLocalRandom.current().nextDouble() * Math.min(1 << attempt, 30);
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
