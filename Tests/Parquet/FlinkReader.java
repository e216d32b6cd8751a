import java.io.PrintWriter;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Reads Parquet files as tables of Flink's filesystem connector, in weir's form of each value as NDJSON:
 * `FlinkReader REQUESTS OUT`. A request is a line of JSON with the table's `ddl` and a
 * `query`; the answer, a line too, has the `rows` or the `error`.
 */
public class FlinkReader {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final DateTimeFormatter MILLIS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS");

  public static void main(String[] arguments) throws Exception {
    try (PrintWriter out = new PrintWriter(arguments[1], StandardCharsets.UTF_8)) {
      for (String request : Files.readAllLines(Path.of(arguments[0]))) {
        ObjectNode answer = MAPPER.createObjectNode();
        try {
          answer(MAPPER.readTree(request), answer);
        } catch (Exception failure) {
          answer.put("error", reason(failure));
        }
        out.println(MAPPER.writeValueAsString(answer));
        out.flush();
      }
    }
    System.exit(0);
  }

  private static void answer(JsonNode request, ObjectNode answer) throws Exception {
    TableEnvironment tables = TableEnvironment.create(
        EnvironmentSettings.newInstance().inBatchMode().withConfiguration(local()).build());
    tables.executeSql(request.get("ddl").asText());
    TableResult result = tables.executeSql(request.get("query").asText());
    RowType type = (RowType) result.getResolvedSchema().toPhysicalRowDataType().getLogicalType();
    var rows = answer.putArray("rows");
    try (CloseableIterator<Row> found = result.collect()) {
      while (found.hasNext()) {
        rows.add(json(found.next(), type));
      }
    }
  }

  /** One slot, all on the loopback interface, as little memory as Flink takes. */
  private static Configuration local() {
    return Configuration.fromMap(Map.ofEntries(
        Map.entry("parallelism.default", "1"), Map.entry("table.local-time-zone", "UTC"),
        Map.entry("taskmanager.memory.network.min", "16m"), Map.entry("taskmanager.memory.network.max", "16m"),
        Map.entry("taskmanager.memory.managed.size", "32m"), Map.entry("rest.address", "127.0.0.1"),
        Map.entry("rest.bind-address", "127.0.0.1"), Map.entry("jobmanager.rpc.address", "127.0.0.1"),
        Map.entry("jobmanager.bind-host", "127.0.0.1"), Map.entry("taskmanager.host", "127.0.0.1"),
        Map.entry("taskmanager.bind-host", "127.0.0.1")));
  }

  private static JsonNode json(Object value, LogicalType type) {
    if (value == null) {
      return MAPPER.nullNode();
    }
    switch (type.getTypeRoot()) {
      case ROW:
        ObjectNode members = MAPPER.createObjectNode();
        List<RowType.RowField> fields = ((RowType) type).getFields();
        for (int index = 0; index < fields.size(); index++) {
          members.set(fields.get(index).getName(), json(((Row) value).getField(index), fields.get(index).getType()));
        }
        return members;
      case ARRAY:
        var items = MAPPER.createArrayNode();
        for (Object item : (Object[]) value) {
          items.add(json(item, ((ArrayType) type).getElementType()));
        }
        return items;
      case MAP:
        ObjectNode entries = MAPPER.createObjectNode();
        ((Map<?, ?>) value).forEach((key, item) ->
            entries.set((String) key, json(item, ((MapType) type).getValueType())));
        return entries;
      case BOOLEAN:
        return MAPPER.getNodeFactory().booleanNode((Boolean) value);
      case TINYINT, SMALLINT, INTEGER, BIGINT:
        return MAPPER.getNodeFactory().numberNode(((Number) value).longValue());
      default:
        return MAPPER.getNodeFactory().textNode(text(value));
    }
  }

  private static String text(Object value) {
    if (value instanceof byte[] bytes) {
      return Base64.getEncoder().encodeToString(bytes);
    } else if (value instanceof BigDecimal decimal) {
      return decimal.toPlainString();
    } else if (value instanceof Instant moment) {
      return moment.atOffset(ZoneOffset.UTC).format(MILLIS) + "Z";
    } else if (value instanceof LocalDateTime moment) {
      return moment.format(MILLIS);
    } else if (value instanceof LocalTime time) {
      String fraction = String.format("%09d", time.getNano()).replaceAll("0+$", "");
      String seconds = time.format(DateTimeFormatter.ofPattern("HH:mm:ss"));
      return fraction.isEmpty() ? seconds : seconds + "." + fraction;
    }
    return value.toString();
  }

  private static String reason(Throwable failure) {
    StringBuilder text = new StringBuilder();
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      text.append(text.length() > 0 ? " | " : "").append(cause.toString().lines().findFirst().orElse(""));
    }
    return text.toString();
  }
}
