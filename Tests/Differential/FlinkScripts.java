import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.*;
import org.apache.flink.table.api.*;

/**
 * Runs exported scripts on a Flink inside this JVM, as they are: `FlinkScripts LIST OUT`, with the path
 * of a script on each line of LIST. Writes a line of JSON a script: for each INSERT the types of its
 * query, or why Flink refuses it. An INSERT that is refused does not hold up the others; one that fails
 * while it runs does, and is the script's error.
 */
public class FlinkScripts {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final int TIMEOUT_SECONDS = 120;

  public static void main(String[] arguments) throws Exception {
    ExecutorService executor = Executors.newCachedThreadPool(task -> {
      Thread thread = new Thread(task);
      thread.setDaemon(true);
      return thread;
    });
    try (PrintWriter out = new PrintWriter(arguments[1], StandardCharsets.UTF_8)) {
      for (String path : Files.readAllLines(Paths.get(arguments[0]))) {
        if (path.isBlank()) continue;
        ObjectNode result = MAPPER.createObjectNode();
        result.put("script", path);
        ObjectNode inserts = result.putObject("inserts");
        Future<?> done = executor.submit(() -> { run(path, inserts); return null; });
        try {
          done.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
          done.cancel(true);
          result.put("error", "it took longer than " + TIMEOUT_SECONDS + " s");
        } catch (ExecutionException e) {
          result.put("error", reason(e.getCause()));
        }
        out.println(MAPPER.writeValueAsString(result));
        out.flush();
      }
    }
    System.exit(0);
  }

  private static void run(String path, ObjectNode inserts) throws Exception {
    TableEnvironment tables = TableEnvironment.create(
        EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(local()).build());
    Map<String, String> accepted = new LinkedHashMap<>();
    for (String statement : statements(Files.readString(Paths.get(path)))) {
      String insert = statement.replaceFirst("(?is)^EXECUTE STATEMENT SET\\s+BEGIN\\s+", "");
      if (insert.equalsIgnoreCase("END")) continue;
      if (!insert.regionMatches(true, 0, "INSERT INTO", 0, 11)) {
        execute(tables, insert);
        continue;
      }
      String sink = insert.substring(insert.indexOf('`') + 1, insert.indexOf('`', insert.indexOf('`') + 1));
      String query = insert.substring(insert.indexOf('`', insert.indexOf('`') + 1) + 1);
      ObjectNode told = inserts.putObject(sink);
      try {
        ArrayNode types = told.putArray("types");
        for (var type : tables.sqlQuery(query).getResolvedSchema().getColumnDataTypes()) types.add(type.toString());
        tables.explainSql(insert);
        accepted.put(sink, insert);
      } catch (Throwable e) {
        told.put("refused", reason(e));
      }
    }
    if (accepted.isEmpty()) return;
    StatementSet set = tables.createStatementSet();
    for (String insert : accepted.values()) set.addInsertSql(insert);
    set.execute().await();
  }

  private static void execute(TableEnvironment tables, String statement) {
    java.util.regex.Matcher setting =
        java.util.regex.Pattern.compile("(?is)^SET\\s+'([^']+)'\\s*=\\s*'([^']*)'$").matcher(statement);
    if (setting.find()) tables.getConfig().set(setting.group(1), setting.group(2));
    else tables.executeSql(statement);
  }

  /** Statements without comments at their ends, in order. */
  private static List<String> statements(String script) {
    List<String> found = new ArrayList<>();
    StringBuilder statement = new StringBuilder();
    char quote = 0;
    for (int i = 0; i < script.length(); i++) {
      char c = script.charAt(i);
      if (quote == 0 && c == '-' && script.startsWith("--", i)) {
        while (i < script.length() && script.charAt(i) != '\n') i++;
        statement.append('\n');
      } else if (quote == 0 && c == ';') {
        found.add(statement.toString().strip());
        statement.setLength(0);
      } else {
        if (quote == 0 && (c == '\'' || c == '`')) quote = c;
        else if (c == quote) quote = 0;
        statement.append(c);
      }
    }
    found.add(statement.toString().strip());
    found.removeIf(String::isEmpty);
    return found;
  }

  /** One small worker, reachable from this machine alone. */
  private static Configuration local() {
    Configuration local = new Configuration();
    for (String key : List.of("rest.bind-address", "rest.address", "jobmanager.rpc.address",
        "jobmanager.bind-host", "taskmanager.bind-host", "taskmanager.host")) {
      local.setString(key, "127.0.0.1");
    }
    local.setString("parallelism.default", "1");
    // With checkpoints Flink would start a job that fails again and again.
    local.setString("restart-strategy.type", "none");
    local.setString("taskmanager.memory.network.min", "16m");
    local.setString("taskmanager.memory.network.max", "16m");
    local.setString("taskmanager.memory.managed.size", "32m");
    return local;
  }

  private static String reason(Throwable error) {
    StringBuilder text = new StringBuilder();
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      text.append(cause.getClass().getSimpleName()).append(": ").append(cause.getMessage()).append(" | ");
    }
    return text.length() > 900 ? text.substring(0, 900) : text.toString();
  }
}
