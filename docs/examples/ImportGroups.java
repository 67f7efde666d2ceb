// Imports the records of a request file and resends those that may succeed later. Needs Java 17 or later.
// IMPORT_URL=https://.../api/integrate/audience/info/batchAdd IMPORT_TOKEN=... java ImportGroups.java request.json
//
// Failed records are printed as lines of JSON, everything else goes to standard error. Exit status: 0 all records were
// imported, 1 some failed or the import stopped, 2 the program was not used as it should be.

import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
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
    // A little longer than the service takes at most.
    static final Duration TIMEOUT = Duration.ofSeconds(35);
    // A wrong clock or date must not stop the import for hours.
    static final double LONGEST_RETRY_AFTER = 60;
    // No redirects, by default: the token goes to the given address and to no other.
    static final HttpClient HTTP = HttpClient.newHttpClient();

    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    static final PrintStream ERR = new PrintStream(System.err, true, StandardCharsets.UTF_8);

    final URI url;
    final String token;
    final String params;
    final List<String> records;
    int size = BATCH;
    int imported = 0;
    int failed = 0;
    boolean dryRun = false;

    /** The import cannot go on. */
    static class Stop extends RuntimeException {
        final int status;

        Stop(String message, int status) {
            super(message);
            this.status = status;
        }
    }

    ImportGroups(URI url, String token, String params, List<String> records) {
        this.url = url;
        this.token = token;
        this.params = params;
        this.records = records;
    }

    public static void main(String[] args) throws InterruptedException {
        try {
            ImportGroups groups = prepare(args);
            groups.run();
            System.exit(groups.failed == 0 ? 0 : 1);
        } catch (Stop stop) {
            ERR.println(stop.getMessage());
            System.exit(stop.status);
        }
    }

    /** Checks how the program is used. */
    static ImportGroups prepare(String[] args) {
        if (args.length != 1) {
            throw new Stop("usage: java ImportGroups.java request.json", 2);
        }
        String url = System.getenv().getOrDefault("IMPORT_URL", "");
        String token = System.getenv().getOrDefault("IMPORT_TOKEN", "");
        if (url.isEmpty()) {
            throw new Stop(
                    "IMPORT_URL is not set: the whole address, https://HOST/api/integrate/audience/info/batchAdd", 2);
        }
        if (!url.matches("https?://[!-.0-~][!-~]*")) {
            throw new Stop("IMPORT_URL must begin with https:// or http:// and a host", 2);
        }
        if (token.isEmpty()) {
            throw new Stop("IMPORT_TOKEN is not set: the token of the enterprise", 2);
        }
        if (!token.matches("[!-~]+")) {
            throw new Stop("IMPORT_TOKEN may have visible ASCII characters only", 2);
        }
        Map<String, String> request = readRequest(args[0]);
        List<String> records = Json.elements(request.get("data"));
        if (records.isEmpty()) {
            throw new Stop(args[0] + " has no records: data is empty", 2);
        }
        return new ImportGroups(URI.create(url), token, request.get("publicParams"), records);
    }

    /** The members of a file, among them publicParams and data. */
    static Map<String, String> readRequest(String file) {
        Map<String, String> request;
        try {
            String content = Files.readString(Path.of(file));
            if (content.startsWith("\ufeff")) {
                throw new Stop(file + " begins with a byte order mark: save it as UTF-8 without BOM", 2);
            }
            Json.check(content);
            request = content.strip().startsWith("{") ? Json.members(content) : Map.of();
        } catch (CharacterCodingException | IllegalArgumentException error) {
            throw new Stop(file + " is not JSON in UTF-8", 2);
        } catch (IOException error) {
            throw new Stop(file + " cannot be read", 2);
        }
        if (!request.getOrDefault("publicParams", "").startsWith("{")
                || !request.getOrDefault("data", "").startsWith("[")) {
            throw new Stop(file + " must be an object with publicParams, an object, and data, an array", 2);
        }
        return request;
    }

    void run() throws InterruptedException {
        for (int start = 0, end; start < records.size(); start = end) {
            end = Math.min(start + size, records.size());
            batch(records.subList(start, end));
        }
        ERR.printf("%s %d, failed %d%n", dryRun ? "dry run: would import" : "imported", imported, failed);
    }

    /** Imports one batch, and resends what failed retryably. */
    void batch(List<String> records) throws InterruptedException {
        List<String> left = new ArrayList<>();
        for (int attempt = 0; ; attempt++) {
            List<String> again = new ArrayList<>();
            for (int start = 0, end; start < records.size(); start = end) {
                end = Math.min(start + size, records.size());
                for (Map<String, String> record : send(records.subList(start, end))) {
                    boolean retryable = record.get("retryable").equals("true");
                    (retryable ? again : left).add(Json.object(record));
                }
            }
            records = again;
            if (records.isEmpty() || attempt == ATTEMPTS - 1) {
                break;
            }
            pause(records.size() + " records failed for now", attempt, 0);
        }
        left.addAll(records);
        left.forEach(OUT::println);
        failed += left.size();
    }

    /** Sends records by one request, and returns those that failed. */
    List<Map<String, String>> send(List<String> records) throws InterruptedException {
        String body = "{\"publicParams\":" + params + ",\"data\":[" + String.join(",", records) + "]}";
        Map<String, String> result = post(body);
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
        ERR.printf("sent %d records: %d of %d succeeded so far%n", records.size(), imported, this.records.size());
        return errors;
    }

    /** Posts a body until the import has ended, and returns its result. */
    Map<String, String> post(String body) throws InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(url)
                .header("Content-Type", "application/json")
                .header("X-Token", token)
                .header("Idempotency-Key", UUID.randomUUID().toString())
                .timeout(TIMEOUT)
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        String why = "";
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            double least = 0;
            try {
                HttpResponse<String> response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
                int status = response.statusCode();
                if (status == 200) {
                    return result(response.body());
                }
                if (status != 201 && status != 429 && status < 500) {
                    String start = response.body().substring(0, Math.min(response.body().length(), 500));
                    throw new Stop("rejected: " + status + " " + start, 1);
                }
                why = "status " + status;
                least = retryAfter(response.headers().firstValue("Retry-After").orElse("0"));
            } catch (IOException error) {
                why = "no response: " + (error.getMessage() == null ? error : error.getMessage());
            }
            if (attempt < ATTEMPTS - 1) {
                // The same request with the same key.
                pause(why, attempt, least);
            }
        }
        throw new Stop("stopped after " + ATTEMPTS + " attempts: " + why, 1);
    }

    /** The `data` of a response. */
    static Map<String, String> result(String body) {
        try {
            Map<String, String> result = Json.members(Json.members(body).getOrDefault("data", ""));
            Integer.parseInt(result.get("importSuccessNum"));
            return result;
        } catch (IllegalArgumentException error) {
            throw new Stop("stopped: the response is not one of the service; check IMPORT_URL", 1);
        }
    }

    /** The seconds of a Retry-After header, which has a number or a date. */
    static double retryAfter(String value) {
        double seconds = 0;
        try {
            seconds = value.matches("\\d+") ? Double.parseDouble(value) : secondsUntil(value);
        } catch (DateTimeException error) {
            // Neither: no least pause.
        }
        return Math.min(Math.max(seconds, 0), LONGEST_RETRY_AFTER);
    }

    static double secondsUntil(String date) {
        Instant until = ZonedDateTime.parse(date, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
        return Duration.between(Instant.now(), until).toMillis() / 1000.0;
    }

    /** Waits, a random time longer than it must, so that many callers do not come back at the same moment. */
    static void pause(String why, int attempt, double least) throws InterruptedException {
        double seconds = least + ThreadLocalRandom.current().nextDouble() * Math.min(1 << attempt, 30);
        ERR.printf("%s; again in %.1f s (attempt %d of %d)%n", why, seconds, attempt + 2, ATTEMPTS);
        Thread.sleep((long) (1000 * seconds));
    }

    /** Takes JSON apart and leaves the parts as text, so that values stay exactly as they were. */
    static class Json {
        static final Pattern MEMBER =
                Pattern.compile("\"([^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+)\"\\s*:\\s*(.*)", Pattern.DOTALL);

        /** Rejects what is not one object or array as a whole; the values inside are for the service to judge. */
        static void check(String json) {
            String text = json.strip();
            if (!text.startsWith("{") && !text.startsWith("[")) {
                throw new IllegalArgumentException("not an object or array");
            }
            if (text.startsWith("{")) {
                members(text);
            } else {
                parts(text);
            }
        }

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
                if (depth == 0 && i < text.length() - 1) {
                    throw new IllegalArgumentException("something follows the JSON");
                }
                if (depth == 0 || depth == 1 && c == ',') {
                    String part = text.substring(start, Math.max(start, i)).strip();
                    if (!part.isEmpty()) {
                        parts.add(part);
                    }
                    start = i + 1;
                }
            }
            if (depth != 0 || text.isEmpty()) {
                throw new IllegalArgumentException("not JSON");
            }
            return parts;
        }
    }
}
