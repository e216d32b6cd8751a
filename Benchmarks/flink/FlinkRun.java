import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.*;

/**
 * Runs SQL scripts in an in-process Flink, one after the other: FlinkRun CHECKPOINTS SCRIPT...
 * For each it prints its path and the CPU seconds of this process while its INSERTs ran. State is in
 * RocksDB with a checkpoint a second, as an exactly-once job keeps it.
 */
public class FlinkRun {
  public static void main(String[] args) throws Exception {
    for (int i = 1; i < args.length; i++) {
      Configuration conf = new Configuration();
      conf.setString("execution.runtime-mode", "streaming");
      conf.setString("parallelism.default", "1");
      conf.setString("table.local-time-zone", "UTC");
      conf.setString("pipeline.object-reuse", "true");
      conf.setString("state.backend.type", "rocksdb");
      conf.setString("execution.checkpointing.interval", "1 s");
      conf.setString("execution.checkpointing.dir", "file://" + args[0]);
      conf.setString("taskmanager.memory.managed.size", "512m");
      conf.setString("rest.bind-address", "127.0.0.1");
      conf.setString("rest.address", "127.0.0.1");
      conf.setString("jobmanager.rpc.address", "127.0.0.1");
      conf.setString("jobmanager.bind-host", "127.0.0.1");
      conf.setString("taskmanager.bind-host", "127.0.0.1");
      conf.setString("taskmanager.host", "127.0.0.1");
      TableEnvironment tables = TableEnvironment.create(
          EnvironmentSettings.newInstance().withConfiguration(conf).build());
      String script = new String(Files.readAllBytes(Paths.get(args[i])), StandardCharsets.UTF_8);
      long started = cpu();
      try {
        for (String statement : script.split(";\\s*\\n")) {
          if (statement.isBlank()) continue;
          TableResult result = tables.executeSql(statement);
          if (statement.contains("CREATE TABLE target") || statement.stripLeading().startsWith("INSERT")) result.await();
        }
        System.out.printf("%s %.2f%n", args[i], (cpu() - started) / 1e9);
      } catch (Exception error) {
        Throwable cause = error;
        while (cause.getCause() != null) cause = cause.getCause();
        System.out.printf("%s failed: %s%n", args[i], String.valueOf(cause.getMessage()).replace('\n', ' '));
      }
      System.out.flush();
    }
    System.exit(0);
  }

  static long cpu() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }
}
